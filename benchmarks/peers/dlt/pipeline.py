"""`python pipeline.py URL API_KEY LIMIT DIRECTORY [DATABASE DISPOSITION]`: dlt's REST API source.

Without a database it extracts alone, into a load package. Its configuration is `.dlt/config.toml` beside this file.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import dlt
from dlt.destinations import postgres
from dlt.sources.rest_api import rest_api_source

if TYPE_CHECKING:
    from dlt.sources.rest_api import RESTAPIConfig


def config(url: str, api_key: str, limit: int, disposition: str) -> RESTAPIConfig:
    """Return what https://dlthub.com/docs/dlt-ecosystem/verified-sources/rest_api/basic asks for."""
    return {
        "client": {
            "base_url": url,
            "auth": {"type": "api_key", "name": "api_key", "api_key": api_key, "location": "query"},
            "paginator": {"type": "offset", "limit": limit, "total_path": "total"},
        },
        "resources": [
            {
                "name": "storage_data",
                "primary_key": "id",
                "write_disposition": disposition,
                "max_table_nesting": 0,
                "endpoint": {"path": "v1/resource", "data_selector": "data"},
            }
        ],
    }


def main(url: str, api_key: str, limit: str, directory: str, *into: str) -> None:
    """Run the pipeline; its tables go to a schema of its own. into: nothing, or database and write disposition."""
    disposition = into[1] if into else "append"
    source = rest_api_source(config(url, api_key, int(limit), disposition), name="storage")
    told: dict[str, Any] = {"pipeline_name": "bench", "pipelines_dir": directory}
    if into:
        # "csv" is loaded with COPY (https://dlthub.com/docs/dlt-ecosystem/destinations/postgres, "Fast loading").
        pipeline = dlt.pipeline(**told, destination=postgres(into[0]), dataset_name="dlt")
        pipeline.run(source, loader_file_format="csv")
    else:
        dlt.pipeline(**told).extract(source)


# The processes of dlt's normalize stage may import this file again.
if __name__ == "__main__":
    main(*sys.argv[1:])
