"""The whole pipeline under fire: real Meltano, real PostgreSQL, and each part of it ended at a random moment."""

from __future__ import annotations
