"""One file per behaviour."""

from __future__ import annotations
