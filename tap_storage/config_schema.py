"""The settings as a JSON schema: names, types, bounds and defaults. The defaults are the specification."""

from __future__ import annotations

from typing import Any

from singer_sdk import typing as th

from tap_storage import settings

TEXT = th.StringType(min_length=1)
"""A text that must say something."""

CONNECTION = (
    th.Property(
        "base_url",
        TEXT,
        required=True,
        title="Base URL",
        description="Address of the API, without the path of the collection",
        examples=["https://api.example.com"],
    ),
    th.Property(
        "api_key",
        th.StringType,
        required=True,
        secret=True,
        title="API key",
        description="The API key; not needed with auth_location none",
    ),
    th.Property(
        "auth_param",
        TEXT,
        default="api_key",
        title="Key parameter",
        description="Name of the query parameter or header that carries the API key",
    ),
    th.Property(
        "auth_location",
        th.StringType,
        default="query",
        allowed_values=["query", "header", "none"],
        title="Key location",
        description="Where the API key is sent: query, header or none",
    ),
    th.Property(
        "headers",
        th.ObjectType(additional_properties=th.StringType),
        default={},
        secret=True,
        title="Headers",
        description="Further request headers, by name; their values are treated as secrets",
        examples=[{"X-Tenant": "acme"}],
    ),
    th.Property(
        "user_agent",
        TEXT,
        title="User agent",
        description="What the tap calls itself to the API; `tap-storage/` and its version unless set",
    ),
    th.Property(
        "timeout",
        th.NumberType(exclusive_minimum=0, maximum=86_400),
        default=60,
        title="Timeout",
        description="Seconds to wait for a connection, and between bytes; a whole page may take ten times that",
    ),
    th.Property(
        "max_retries",
        th.IntegerType(minimum=0),
        default=3,
        title="Retries",
        description="How often a request that failed is asked again",
    ),
    th.Property(
        "backoff_factor",
        th.NumberType(minimum=0),
        default=2,
        title="Backoff factor",
        description="Seconds before the first retry; doubled for each one after it, plus up to a second of jitter",
    ),
    th.Property(
        "max_backoff",
        th.NumberType(minimum=0, maximum=86_400),
        default=120,
        title="Longest wait",
        description="Longest wait in seconds; an API that asks for more (Retry-After) fails the run at once",
    ),
    th.Property(
        "retry_statuses",
        th.ArrayType(th.IntegerType(minimum=400, maximum=599)),
        default=[429, 500, 502, 503, 504],
        title="Retried statuses",
        description="HTTP statuses that are asked again, besides broken connections and unreadable answers",
    ),
    th.Property(
        "concurrency",
        th.IntegerType(minimum=1, maximum=100),
        default=4,
        title="Concurrency",
        description="How many pages are in flight; with 1, each is asked for when the one before it was written",
    ),
    th.Property(
        "requests_per_second",
        th.NumberType(exclusive_minimum=0, maximum=10_000),
        title="Request rate",
        description="The most requests that are sent in a second, by all workers together; no limit unless set",
    ),
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description="Emit only records whose replication key is at or after this ISO 8601 instant",
    ),
    th.Property(
        "end_date",
        th.DateTimeType,
        title="End date",
        description="Emit only records whose replication key is before this ISO 8601 instant",
    ),
    th.Property(
        "emit_activate_version_messages",
        th.BooleanType,
        default=False,
        title="Activate versions",
        description=(
            "After a full refresh that is proven complete, let the destination drop rows that are gone at the source"
        ),
    ),
    th.Property(
        "infer_schema",
        th.BooleanType,
        default=True,
        title="Infer schema",
        description="Add to the built-in schema the fields that a sample page shows; not where schema is set",
    ),
    th.Property(
        "on_misfit",
        th.StringType,
        default="fail",
        allowed_values=["fail", "null"],
        title="On misfit",
        description=(
            "What becomes of a value that does not fit the type of its field, and cannot be converted without loss: "
            "fail, or null"
        ),
    ),
    th.Property(
        "batch_config",
        th.ObjectType(
            th.Property(
                "encoding",
                th.ObjectType(
                    th.Property("format", th.StringType, required=True, allowed_values=["jsonl"]),
                    th.Property("compression", th.StringType, allowed_values=["gzip", "none"]),
                    additional_properties=False,
                ),
                required=True,
            ),
            th.Property(
                "storage",
                th.ObjectType(
                    th.Property("root", TEXT, required=True),
                    th.Property("prefix", th.StringType),
                    th.Property("params", th.ObjectType(additional_properties=True)),
                    additional_properties=False,
                ),
                required=True,
            ),
            th.Property("batch_size", th.IntegerType(minimum=1)),
            additional_properties=False,
        ),
        secret=True,
        title="Batch files",
        description=(
            "Write records into files that BATCH messages name, and not as RECORD messages; the values of "
            "storage.params are treated as secrets"
        ),
        examples=[{"encoding": {"format": "jsonl", "compression": "gzip"}, "storage": {"root": "file:///tmp/batches"}}],
    ),
)

RESOURCE = (
    th.Property(
        "path",
        th.StringType,
        default="/v1/resource",
        title="Path",
        description="Path of the collection below base_url",
    ),
    th.Property(
        "params",
        th.ObjectType(additional_properties=th.AnyOf(th.StringType, th.ArrayType(th.StringType))),
        default={},
        secret=True,
        title="Parameters",
        description="Further query parameters, sent with every page; their values are treated as secrets",
        examples=[{"sort": "id"}],
    ),
    th.Property(
        "data_selector",
        TEXT,
        default="data",
        title="Data selector",
        description="JSONPath of the list of records in an answer; $ if the answer itself is the list",
    ),
    th.Property(
        "limit",
        th.IntegerType(minimum=1),
        default=100,
        title="Page size",
        description="How many records are asked for at a time",
    ),
    th.Property(
        "limit_param",
        th.StringType,
        default="limit",
        title="Limit parameter",
        description="Name of the query parameter for the page size; empty to send none",
    ),
    th.Property(
        "offset_param",
        th.StringType,
        default="offset",
        title="Offset parameter",
        description="Name of the query parameter for the offset; empty if the API does not page",
    ),
    th.Property(
        "initial_offset",
        th.IntegerType(minimum=0),
        default=0,
        title="Initial offset",
        description="Offset of the first record",
    ),
    th.Property(
        "maximum_offset",
        th.IntegerType(minimum=1),
        title="Maximum offset",
        description="Offset to stop before, exactly: records from there on are not read",
    ),
    th.Property(
        "page_overlap",
        th.IntegerType(minimum=0),
        default=1,
        title="Page overlap",
        description=(
            "How many records consecutive pages share, so that records that move are seen; below limit. "
            "0 asks for exactly 0, 100, 200 …, and may lose records that move"
        ),
    ),
    th.Property(
        "total_path",
        th.StringType,
        default="total",
        title="Total path",
        description="JSONPath of the number of records in the collection; empty to ignore it",
    ),
    th.Property(
        "primary_keys",
        th.ArrayType(TEXT),
        default=["id"],
        title="Primary keys",
        description="Fields that identify a record; the destination updates by them",
    ),
    th.Property(
        "replication_key",
        th.StringType,
        default="created_at",
        title="Replication key",
        description="Date-time or integer field that tells new records from known ones; empty to read the full table",
    ),
    th.Property(
        "start_param",
        th.StringType,
        title="Start parameter",
        description="Name of the query parameter by which the API leaves out records with a lower replication key",
        examples=["created_after"],
    ),
    th.Property(
        "end_param",
        th.StringType,
        title="End parameter",
        description="Name of the query parameter by which the API leaves out records from end_date on",
        examples=["created_before"],
    ),
    th.Property(
        "datetime_format",
        TEXT,
        default="iso",
        title="Date-time format",
        description=(
            "How start_param and end_param are written, in UTC: iso, epoch (seconds), epoch_ms, or a strftime pattern"
        ),
        examples=["iso", "epoch", "epoch_ms", "%Y-%m-%d %H:%M:%S"],
    ),
    th.Property(
        "sort_order",
        th.StringType,
        default="unsorted",
        allowed_values=["ascending", "descending", "unsorted"],
        title="Sort order",
        description=(
            "How the API sorts by the replication key: ascending, descending or unsorted; what is known is then skipped"
        ),
    ),
    th.Property(
        "lookback_window",
        th.NumberType(minimum=0, maximum=10**10),
        default=settings.LOOKBACK,
        title="Lookback window",
        description=(
            "Seconds before the bookmark that are read again, for records that arrive late; not for integer keys"
        ),
    ),
    th.Property(
        "schema",
        th.CustomType({"type": ["object", "string", "null"]}),
        title="Schema",
        description=(
            "JSON schema of a record: an object, JSON text, or the path of a file; takes the place of the built-in one "
            "and of the sample"
        ),
        examples=["schemas/files.json"],
    ),
)
"""Settings of a resource, which have their defaults at the top level."""

NAME = th.Property(
    "name",
    th.StringType(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$(?!\n)"),
    required=True,
    title="Name",
    description="Name of the stream, and of the table at the destination",
)


def config_schema() -> dict[str, Any]:
    """Return the JSON schema of the config."""
    entry = th.PropertiesList(NAME, *RESOURCE).to_dict()
    for name, setting in entry["properties"].items():
        # A default here would hide what the user has set at the top level.
        entry["properties"][name] = {key: value for key, value in setting.items() if key != "default"}
    resources = th.Property(
        "resources",
        th.CustomType({"type": ["array", "null"], "items": entry | {"additionalProperties": False}, "minItems": 1}),
        default=[{"name": settings.STREAM}],
        secret=True,
        title="Resources",
        description="The streams: each has a name, and any setting of a collection in place of that at the top level",
        examples=[[{"name": "files", "path": "/v1/files"}, {"name": "folders", "path": "/v1/folders"}]],
    )
    schema: dict[str, Any] = th.PropertiesList(*CONNECTION, *RESOURCE, resources).to_dict()
    return schema
