"""A first load of a large collection, spread over tasks, and the daily run that goes on from it.

`storage_backfill` asks the API where to cut the collection, and copies each slice in a task of its own, which goes on
where it was when it is tried again; it is triggered by hand, once. `storage_daily` copies what is new. Both need a
Meltano project with tap-storage and target-postgres in MELTANO_PROJECT_ROOT, a state backend that all workers reach
(MELTANO_STATE_BACKEND_URI), and the settings of both plugins, as ever, in the environment or in meltano.yml.
"""

from __future__ import annotations

import json
import subprocess
from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Param, dag, get_current_context, task

POOL = "storage_api"
"""As many tasks as it has slots ask the API at a time. With a rate limit, each has its share: requests_per_second."""

COPY = """
cd "$MELTANO_PROJECT_ROOT"
# Runs of one project at a time need directories of their own; the plugins that are installed will do for all.
export MELTANO_SYS_DIR_ROOT=$(mktemp -d)
trap 'rm -rf "$MELTANO_SYS_DIR_ROOT"' EXIT
ln -s "$MELTANO_PROJECT_ROOT"/.meltano/extractors "$MELTANO_PROJECT_ROOT"/.meltano/loaders "$MELTANO_SYS_DIR_ROOT"
meltano run --state-id-suffix="$STATE_ID_SUFFIX" tap-storage target-postgres
"""
NOTHING = {
    "TAP_STORAGE_START_DATE": "1970-01-01T00:00:00Z",
    "TAP_STORAGE_END_DATE": "1970-01-01T00:00:01Z",
    "STATE_ID_SUFFIX": "prepare",
}
COPYING = {
    "bash_command": COPY,
    "append_env": True,
    "pool": POOL,
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
}


@dag(schedule=None, params={"slices": Param(6, type="integer", minimum=1)}, max_active_runs=1, tags=["tap-storage"])
def storage_backfill() -> None:
    """Copy a collection, slice by slice."""

    @task(retries=3, retry_delay=timedelta(seconds=10))
    def plan() -> list[dict[str, str]]:
        """Return the environment of each slice's task. Asks the API a few questions; see `tap-storage-plan --help`."""
        slices = str(get_current_context()["params"]["slices"])
        planned = subprocess.run(
            ["meltano", "invoke", "tap-storage:plan", "--slices", slices],  # noqa: S607 (that of the environment)
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        found = [json.loads(line) for line in planned.stdout.splitlines()]
        return [
            {f"TAP_STORAGE_{name.upper()}": value for name, value in each["config"].items()}
            | {"STATE_ID_SUFFIX": each["state_id_suffix"]}
            for each in found
        ]

    # Of several runs that create the table at the same time, all but one would fail.
    prepare = BashOperator(task_id="prepare", env=NOTHING, **COPYING)
    prepare >> BashOperator.partial(task_id="copy", **COPYING).expand(env=plan())


@dag(schedule="@daily", catchup=False, max_active_runs=1, tags=["tap-storage"])
def storage_daily() -> None:
    """Copy what is new since the last run, or since the backfill, whose last slice has this state."""
    BashOperator(task_id="copy", env={"STATE_ID_SUFFIX": ""}, **COPYING)


storage_backfill()
storage_daily()
