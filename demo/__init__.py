"""The demo: a fake storage API, a PostgreSQL server, and a run from one into the other."""

from __future__ import annotations
