"""A dlt `rest_api` configuration becomes this tap's config, or is refused by the path of what does not."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from demo.control import ROOT
from tap_storage.dlt_spec import main
from tests.running import BIN, PATIENCE_S, Run, Tap, environment
from tests.test_resources import counts

if TYPE_CHECKING:
    from pathlib import Path

    from demo.control import FakeAPI

KEY = "s3cr3t-key"
DEFAULT = {"base_url": "https://api.example.com"}
LITERAL = """{
    "client": {"base_url": "https://api.example.com", "auth": {
        "type": "api_key", "name": "api_key", "api_key": dlt.secrets["api_key"], "location": "query",
    }},
    "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
    "resources": [{"name": "storage_data", "endpoint": {
        "path": "/v1/resource", "data_selector": "data", "paginator": {"type": "offset", "limit": 100},
    }}],
}"""
SCRIPT = f"import dlt\nopen('made', 'w')\nsource = rest_api_source({LITERAL})\n"
AS_JSON = LITERAL.replace('dlt.secrets["api_key"]', f'"{KEY}"').replace(",\n    }", "}").replace(",\n}", "}")
FORMS = {
    "indented literal": f"    {LITERAL}".replace("\n", "\n    "),
    "script": f"def source():\n    config: RESTAPIConfig = {LITERAL}\n    yield from rest_api_resources(config)",
    "markdown": f"# Overview\n\nThis is: a guide.\n\n```python\n{SCRIPT}```\n\nEnd.",
    "JSON": AS_JSON,
    "YAML": yaml.safe_dump(yaml.safe_load(AS_JSON)),
}


def convert(content: object, *options: str) -> Run:
    """Run the command in this process on a text, or on an object as JSON."""
    text = content if isinstance(content, str) else json.dumps(content)
    result = CliRunner().invoke(main, ["-", *options], input=text.encode("utf-8", "surrogateescape"))
    return Run(result.exit_code, result.stdout, result.stderr)


def document(resources: str, client: str = "", defaults: str = "") -> dict[str, Any]:
    """Return a configuration of these resources, else as the tap's defaults; all parts are YAML."""
    found: dict[str, Any] = yaml.safe_load(AS_JSON)
    found["client"].update(yaml.safe_load(client) or {})
    page = found["resources"][0]["endpoint"]
    found["resource_defaults"] |= {"endpoint": page} | (yaml.safe_load(defaults) or {})
    return found | {"resources": yaml.safe_load(resources)}


def imported(content: object, *options: str) -> Any:
    """Return the config that this becomes."""
    run = convert(content, *options)
    assert run.status == 0, run.stderr
    return json.loads(run.stdout)


def installed(directory: Path, content: str) -> Run:
    """Run the installed command on a file in this directory."""
    (directory / "file").write_text(content, encoding="utf-8")
    options: dict[str, Any] = {"cwd": directory, "env": environment(), "timeout": PATIENCE_S, "encoding": "utf-8"}
    completed = subprocess.run([BIN / "tap-storage-import-dlt", "file"], **options, capture_output=True, check=False)
    return Run(completed.returncode, completed.stdout, completed.stderr)


@pytest.mark.parametrize("form", FORMS)
def test_the_specification_is_the_default(form: str) -> None:
    """Someone with the specification's own file would get settings that he has to understand first."""
    run = convert(FORMS[form])
    assert (run.status, json.loads(run.stdout)) == (0, DEFAULT)
    assert run.stderr.splitlines() == [
        "Assumed: client.auth: the key is not written down; set TAP_STORAGE_API_KEY",
        "Assumed: resources[0]: no cursor is named, so replication_key stays `created_at`",
    ]


def test_the_installed_command_executes_nothing_and_does_what_the_guide_shows(tmp_path: Path) -> None:
    """Looking at a stranger's script would run it, or print what the guide does not have."""
    run = installed(tmp_path, SCRIPT)
    assert (run.status, json.loads(run.stdout), (tmp_path / "made").exists()) == (0, DEFAULT, False)
    guide = (ROOT / "docs" / "from-dlt.md").read_text(encoding="utf-8")
    assert f"{run.stderr}$ cat config.json\n{run.stdout}" in guide
    comments = "{name: comments, endpoint: 'issues/{resources.issues.id}/comments'}"
    content = document(f"[{{name: issues, endpoint: {{paginator: header_link}}}}, {comments}]")
    assert f"github.yaml\n{installed(tmp_path, json.dumps(content)).stderr}```" in guide


def test_everything_that_has_a_setting_becomes_one() -> None:
    """A part would be lost on the way, and other records read."""
    content = """
        client: {base_url: "https://api.example.com", auth: {type: api_key, name: X-Key, api_key: s3cr3t-key},
                 headers: {Accept: application/json, User-Agent: me/1}}
        resources: [{name: things, primary_key: [path, id], write_disposition: merge, endpoint: {
            path: v2/things, method: GET, params: {sort: id, flag: true, many: [a, true], none: null},
            data_selector: result.items,
            paginator: {type: offset, limit: 50, offset: 1, maximum_offset: 500, limit_param: take,
                        offset_param: skip, total_path: meta.total},
            incremental: {cursor_path: $.updated_at, start_param: from, end_param: to, lag: 60, row_order: desc,
                          initial_value: "2024-01-01T00:00:00Z", end_value: "2025-01-01T00:00:00Z",
                          range_start: closed}}}]"""
    settings = yaml.safe_load("""
        {base_url: "https://api.example.com", auth_param: X-Key, auth_location: header,
        headers: {Accept: application/json}, user_agent: me/1, start_date: "2024-01-01T00:00:00Z",
        end_date: "2025-01-01T00:00:00Z", path: v2/things, params: {sort: id, flag: "True", many: [a, "True"]},
        data_selector: result.items, limit: 50, limit_param: take, offset_param: skip, initial_offset: 1,
        maximum_offset: 500, total_path: meta.total, primary_keys: [path, id], replication_key: updated_at,
        start_param: from, end_param: to, sort_order: descending, lookback_window: 60, resources: [{name: things}]}""")
    assert imported(content) == settings
    assert yaml.safe_load(convert(content, "--format=yaml").stdout) == {"config": settings}


@pytest.mark.parametrize(
    ("endpoint", "more", "settings"),
    [
        ("", "client: {auth: api_key}", "{auth_location: header, auth_param: Authorization}"),
        ("", "client: {auth: null}", "auth_location: none"),
        ("", "defaults: {write_disposition: replace}", "replication_key: ''"),
        ("paginator: {type: offset, limit: 9, total_path: null}", "", "{limit: 9, total_path: ''}"),
        ("paginator: single_page", "", "{limit_param: '', offset_param: ''}"),
        (
            "{params: {since: '{incremental.start_value}'}, incremental: {cursor_path: updated_at}}",
            "",
            "{replication_key: updated_at, start_param: since}",
        ),
        (
            "params: {since: {type: incremental, cursor_path: updated_at}}",
            "",
            "{replication_key: updated_at, start_param: since}",
        ),
        (
            "incremental: {cursor_path: created_at, initial_value: '2024-01-01', lag: 2}",
            "",
            "{start_date: '2024-01-01', lookback_window: 172800}",
        ),
    ],
)
def test_what_dlt_means_is_kept(endpoint: str, more: str, settings: str) -> None:
    """The tap would ask otherwise than dlt did."""
    own = {"path": "/v1/resource", **(yaml.safe_load(endpoint) or {})}
    parts = {name: json.dumps(part) for name, part in (yaml.safe_load(more) or {}).items()}
    resource = json.dumps([{"name": "storage_data", "endpoint": own}])
    assert imported(document(resource, **parts)) == DEFAULT | yaml.safe_load(settings)


def test_resource_defaults_are_merged_as_dlt_merges_them() -> None:
    """A resource would be read with the parameters, or the paging, of another."""
    second = "params: {b: '3'}, paginator: {type: offset, limit: 20}, data_selector: rows"
    content = document(
        f"[first, {{name: second, primary_key: path, endpoint: {{{second}}}}}]",
        "paginator: {type: offset, limit: 50, offset_param: skip}",
        "endpoint: {data_selector: items, params: {a: '1', b: '2'}, path: /of-none}",
    )
    assert imported(content) == DEFAULT | yaml.safe_load("""resources:
        - {name: first, path: first, params: {a: '1', b: '2'}, data_selector: items, limit: 50, offset_param: skip}
        - {name: second, path: second, params: {a: '1', b: '3'}, data_selector: rows, limit: 20, primary_keys: [path]}
    """)


def test_what_dlt_finds_out_or_does_otherwise_is_said() -> None:
    """A person would take a guess for a translation."""
    run = convert({"client": DEFAULT, "resources": ["x"]})
    said = ["no data_selector", "no offset", "no primary_key", "append adds", "no cursor"]
    assert [" ".join(line.split()[2:4]) for line in run.stderr.splitlines()] == said


def test_what_is_not_translated_is_listed_by_path() -> None:
    """Something would be left out silently, and other records read."""
    resources = """
        - {name: a, unheard_of: null, endpoint: {paginator: {type: cursor, cursor_path: next}}}
        - {name: b, endpoint: {method: POST, json: {x: 1}}}
        - {name: c, endpoint: {path: "{d}", params: {a: {type: resolve, field: id}, b: "{c}", token: s3cr3t-key}}}
        - {name: d, endpoint: {incremental: {cursor_path: a.b, initial_value: 7, lag: "1", range_end: closed}}}
        - {name: e, write_disposition: replace, endpoint: {incremental: {cursor_path: updated_at}}, selected: false}"""
    client = "{auth: {type: bearer, token: s3cr3t-key}, headers: {X-Key: s3cr3t-key}, session: {}}"
    run = convert(document(resources, client, "merge_key: id") | {"more": []})
    assert (run.status, run.stdout) == (1, "")
    expected = """\
Not translated: client.auth.type: only api_key can be translated; for a token, set auth_location to header, auth_param to Authorization, and api_key to `Bearer <token>`
Not translated: client.headers.X-Key: is a secret, and not written down; set it in the tap's config yourself
Not translated: client.session: has no counterpart
Not translated: more: has no counterpart
Not translated: resource_defaults.merge_key: has no counterpart
Not translated: resources[0].unheard_of: has no counterpart
Not translated: resources[0].endpoint.paginator.type: only offset, single_page, auto can be translated
Not translated: resources[0].endpoint.paginator.cursor_path: has no counterpart
Not translated: resources[1].endpoint.method: only GET can be translated
Not translated: resources[1].endpoint.json.x: has no counterpart
Not translated: resources[2].endpoint.path: parents, placeholders and other hosts are not translated
Not translated: resources[2].endpoint.params.a.type: only incremental can be translated
Not translated: resources[2].endpoint.params.a.field: has no counterpart
Not translated: resources[2].endpoint.params.b: placeholders and parents are not translated
Not translated: resources[2].endpoint.params.token: is a secret, and not written down; set it in the tap's config yourself
Not translated: resources[3].endpoint.incremental.cursor_path: is not a field of the record itself
Not translated: resources[3].endpoint.incremental.initial_value: is not an ISO 8601 date
Not translated: resources[3].endpoint.incremental.lag: is not a number
Not translated: resources[3].endpoint.incremental.range_end: only open can be translated
Not translated: resources[4].endpoint.incremental.cursor_path: contradicts another part
Not translated: resources[4].selected: has no counterpart
Error: Nothing is imported: take these parts out of the file, or import the rest with --leave-out"""  # noqa: E501
    assert run.stderr.splitlines() == expected.splitlines()


def test_a_date_is_for_all_resources_with_a_cursor() -> None:
    """An ordinary configuration would be refused for a setting that its author never heard of."""
    dated = "{name: a, endpoint: {incremental: {cursor_path: at, initial_value: '2024-01-01'}}}"
    other = "{name: b, endpoint: {incremental: {cursor_path: at, initial_value: '2025-01-01'}}}"
    run = convert(document(f"[{dated}, {{name: c, write_disposition: replace}}]"))
    assert (run.status, json.loads(run.stdout)["start_date"]) == (0, "2024-01-01")
    run = convert(document(f"[{dated}, {other}]"))
    assert (run.status, "resources[1].endpoint.incremental.initial_value" in run.stderr) == (1, True)
    run = convert(document(f"[{dated}, {other}]"), "--leave-out")
    assert (run.status, "start_date" in json.loads(run.stdout)) == (0, False)


@pytest.mark.parametrize("name", ["sig", "pwd", "accessKey", "X-Signature", "jwt", "session_id"])
def test_a_parameter_that_is_named_like_a_secret_is_not_written_down(name: str) -> None:
    """A signature in an address would end up in a config under version control."""
    run = convert(document(f"[{{name: a, endpoint: {{params: {{{name}: {KEY}}}}}}}]"), "--leave-out")
    assert (run.status, KEY in run.stdout + run.stderr) == (1, False)


def test_any_text_names_a_resource() -> None:
    """A path for a name would be refused, for a setting that the file does not have."""
    run = convert(document("[v1/files, b]"))
    assert [entry["name"] for entry in json.loads(run.stdout)["resources"]] == ["v1_files", "b"]


def test_what_a_script_computes_is_listed_by_path() -> None:
    """A value that is not in the file would be made up, or its secrets printed."""
    script = LITERAL.replace('"https://api.example.com"', f'get("{KEY}")').replace("100", f'limits["{KEY}"], **more')
    run = convert(script.replace("}}],", f'}}}}, made("{KEY}")],').replace('"id"', '["id", key]'))
    paths = [line.split(": ")[1] for line in run.stderr.splitlines()[:-1]]
    page = "resources[0].endpoint.paginator"
    assert (run.status, paths) == (
        1,
        ["client.base_url", "resource_defaults.primary_key", f"{page}.limit", f"{page}.**", "resources[1]"],
    )
    assert KEY not in run.stderr


def test_what_is_left_out_takes_with_it_a_resource_that_would_be_another() -> None:
    """Other records would be read: a child without its parent, or more than were wanted."""
    kept = "{name: kept, columns: {x: {}}, endpoint: {path: /v1/resource, response_actions: [f], paginator: cursor}}"
    content = document(f"[{{name: child, endpoint: {{params: {{of: '{{id}}'}}}}}}, {kept}]", "auth: http_basic")
    assert imported(content, "--leave-out") == DEFAULT | {"auth_location": "none", "resources": [{"name": "kept"}]}
    assert "Left out: client.auth: only api_key" in convert(content, "--leave-out").stderr
    assert convert(document("['{x}']"), "--leave-out").stderr.endswith("all of it is left out\n")


def test_no_secret_is_written_anywhere() -> None:
    """A key would end up in a terminal's history, a log, or a repository."""
    client = f"headers: {{Authorization: Bearer {KEY}, X-Api-Key: {KEY}, X-Tenant: acme}}"
    secret = document(f"[a, b, {{name: c, endpoint: {{params: {{access_token: {KEY}}}}}}}]", client)
    run = convert(secret, "--leave-out")
    assert json.loads(run.stdout)["headers"] == {"X-Tenant": "acme"}
    misplaced = document(f"[{{name: a, endpoint: {{paginator: {KEY}}}}}]", f"auth: {KEY}")
    address = document("[a]", f"base_url: 'https://x?key={KEY}'")
    for told in (run, convert(misplaced), convert(address)):
        assert KEY not in told.stdout + told.stderr


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "The file holds no dlt rest_api configuration"),
        (DEFAULT, "The file holds no dlt rest_api configuration"),
        ("Dear Sir: client, resources\n\x00", "The file holds no dlt rest_api configuration"),
        ("\udcff\udcfe\udce4", "The file holds no dlt rest_api configuration"),
        ("[" * 100_000, "The file holds no dlt rest_api configuration"),
        ({"client": {}, "resources": {}}, "The file holds no dlt rest_api configuration"),
        (f"a = {LITERAL}\nb = {LITERAL}", "The file holds 2 dlt rest_api configurations"),
        (document("[]"), "There is no resource to import"),
    ],
    ids=["empty", "other", "prose", "bytes", "deep", "no-list", "two", "nothing"],
)
def test_a_file_that_is_none_is_one_clear_line(content: object, fault: str) -> None:
    """A person would look for the mistake in a traceback."""
    run = convert(content)
    assert (run.status, run.stdout, len(run.stderr.splitlines())) == (1, "", 1), run.stderr
    assert run.stderr.startswith(f"Error: {fault}")


def test_a_config_that_the_tap_would_refuse_is_not_written() -> None:
    """A person would find out later: of two names that are one to a destination, for instance."""
    run = convert(document("[a, {name: A, endpoint: {data_selector: 'a['}}]", "base_url: example.com"))
    names = ["resources[1].name", "base_url", "resources[1].data_selector"]
    told = [line.split(": ")[0] for line in run.stderr.splitlines()]
    assert (run.status, run.stdout) == (1, "")
    assert told[told.index("Error") + 1 :] == [f"Setting {name}" for name in names]
    assert "Setting base_url: is missing" in convert(document("[a]", "base_url: null")).stderr
    assert imported(LITERAL.replace('"https://api.example.com"', "ADDRESS"), "--leave-out") == {}


def test_the_imported_config_reads_the_api(tmp_path: Path, tap: Tap, api: FakeAPI) -> None:
    """The import would end in a config that the tap refuses, or that asks otherwise than dlt did."""
    api.behave(paths=["/v1/files", "/v1/folders"], auth={"in": "header", "name": "X-Key"}, params={"limit": "take"})
    cursor = "incremental: {cursor_path: updated_at, start_param: created_from, initial_value: '2020-01-01'}"
    resources = f"""
        - {{name: files, endpoint: {{path: v1/files, params: {{flag: true}}, {cursor}}}}}
        - {{name: folders, endpoint: {{path: v1/folders, {cursor}}}}}"""
    auth = f"auth: {{type: api_key, name: X-Key, api_key: {KEY}}}"
    paging = "paginator: {type: offset, limit: 60, limit_param: take}"
    content = document(resources, f"{{base_url: '{api.url}', {auth}}}", f"endpoint: {{data_selector: data, {paging}}}")
    config = json.loads(installed(tmp_path, json.dumps(content)).stdout)
    run = tap(config, "--config=ENV", env={"TAP_STORAGE_API_KEY": api.api_key})
    assert (run.status, counts(run)) == (0, {"files": 250, "folders": 250}), run.stderr
    asked = "take=60&offset=0&flag=True&created_from=2019-12-31T23%3A59%3A59Z"
    assert asked in [entry["query"] for entry in api.requests() if entry["path"] == "/v1/files"]
