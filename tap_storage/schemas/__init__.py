"""The built-in JSON schemas, one file a stream."""

from __future__ import annotations
