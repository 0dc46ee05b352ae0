"""`python hazards.py URL API_KEY LIMIT DIRECTORY total|empty`: dlt's REST API source, end to end, for the hazards.

Extracts, normalizes and loads into a destination that prints each record as a line, when the whole load package is
ready. `total` ends at the total that the API tells, dlt's default; `empty` at a page without records, which its
documentation advises for an API without a total.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import dlt
from dlt.sources.rest_api import rest_api_source
from pipeline import config  # type: ignore[import-not-found]  # the file beside this one

if TYPE_CHECKING:
    from dlt.common.schema import TTableSchema


@dlt.destination(name="printed", loader_file_format="typed-jsonl", batch_size=1000, max_parallel_load_jobs=1)  # type: ignore[untyped-decorator]
def printed(items: list[dict[str, Any]], table: TTableSchema) -> None:
    """Print each record."""
    lines = (
        json.dumps({"type": "RECORD", "stream": table["name"], "record": item}, default=str) + "\n" for item in items
    )
    os.write(sys.stdout.fileno(), "".join(lines).encode())


def main(url: str, api_key: str, limit: str, directory: str, end: str) -> None:
    """Run the pipeline."""
    told = config(url, api_key, int(limit), "append")
    if end == "empty":
        paginator = {"type": "offset", "limit": int(limit), "total_path": None, "stop_after_empty_page": True}
        told["client"]["paginator"] = paginator
    pipeline = dlt.pipeline(pipeline_name="hazards", pipelines_dir=directory, destination=printed, dataset_name="dlt")
    pipeline.run(rest_api_source(told, name="storage"))


# The processes of dlt's normalize stage may import this file again.
if __name__ == "__main__":
    main(*sys.argv[1:])
