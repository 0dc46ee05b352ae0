"""A storage API that behaves, or misbehaves, as told; for the demo, tests, benchmarks.

Start it with `python -m demo.fake_api`; `demo.control.FakeAPI` does so from Python.
`GET /v1/resource?api_key=…&limit=100&offset=0` answers `{"data": […], "total": N}`.
What it does wrong is a `Behaviour` (see `behaviour.py`), changed while it runs over the
control endpoints under `/_fake/` (see `endpoints.py`).
"""

from __future__ import annotations
