"""The fuzzer: whatever the outside may send or pass, a run ends in records or in one clear error.

It knows the shapes of what the tap reads, and breaks them: `mutations` says how, `cases` and `files` what is broken,
`oracle` and `values` what a run may have come to, `serving` and `running` how a case is run, and `work` keeps a process
at it.
"""

from __future__ import annotations
