"""`python -m benchmarks`: tap-storage and its peers, side by side on the same fake API, at the same time.

A peer is a directory under `peers/` (what to install, how it is configured) and a `Contender` (how it is started, how
its records are found afterwards), which may be pointed at any behaviour of the fake API: see `measure.measure`.
"""

from __future__ import annotations
