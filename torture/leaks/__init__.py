"""Does any failure print a secret? A matrix of failures, outputs, log levels and secrets: `python -m torture.leaks`."""

from __future__ import annotations
