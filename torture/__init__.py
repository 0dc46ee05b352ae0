"""The test bench that attacks the finished tap through its installed command."""

from __future__ import annotations
