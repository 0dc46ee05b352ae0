"""The keys of the records read last, in the order of the API."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence


class Trail:
    """What a walk remembers: keys up to the frontier, and those ahead of it while it reads known ground again.

    capacity: keys kept behind the frontier at least; no more than twice as many on either side of it. Those that are
    furthest away go first.
    """

    def __init__(self, capacity: int) -> None:
        self.frontier: Hashable = None
        """The last record read."""
        self.forgetful = False
        """Whether a key had to go, so that an unknown record may have been read before."""
        self.capacity = capacity
        self._keys: dict[Hashable, None] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def holds_any(self, keys: Sequence[Hashable]) -> bool:
        """Tell whether any of these is remembered."""
        return not self._keys.keys().isdisjoint(keys)

    def append(self, keys: Sequence[Hashable], *, new: bool = False) -> None:
        """Add the keys, at least one, that follow the frontier; the last becomes it.

        new: whether it is known that none of them is remembered.
        """
        if self._keys and not self.at_its_end:
            self.weave(keys, start=self.place(self.frontier) + 1)
            return
        if not new and self.holds_any(keys):
            for key in keys:
                self._keys.pop(key, None)  # a record that moved to the end is remembered there
        self._keys.update(dict.fromkeys(keys))
        self.frontier = keys[-1]
        if len(self._keys) > 2 * self.capacity:  # many at once: the first key of a dict is slow to find after deletions
            self.forgetful = True
            for key in list(itertools.islice(self._keys, len(self._keys) - self.capacity)):
                del self._keys[key]

    def weave(self, keys: Sequence[Hashable], *, start: int, ordered: bool = True) -> None:
        """Put the keys of a page where they belong; the last becomes the frontier.

        start: how many of the trail's keys come before the page. ordered: whether the API's order has held so far.
        """
        trail = list(self._keys)
        places = {key: place for place, key in enumerate(trail)}
        known = [places[key] for key in keys if key in places]
        # What was remembered between two records that now follow each other is gone, if the order is to be trusted.
        trusted = ordered and known and known == sorted(known)
        gone = set(range(known[0], known[-1])).difference(known) if trusted else set()
        woven = dict.fromkeys(trail[:start])
        for key in keys:
            place = places.get(key, start)
            if place >= start and key in places:
                woven.update((trail[each], None) for each in range(start, place) if each not in gone)
                start = place + 1
            woven.pop(key, None)
            woven[key] = None
        woven.update((key, None) for key in trail[start:] if key not in woven)
        self.frontier = keys[-1]
        self._keys = woven
        self._trim()

    @property
    def read(self) -> list[Hashable]:
        """The keys up to the frontier."""
        keys = list(self._keys)
        return keys if not keys or self.at_its_end else keys[: self.place(self.frontier) + 1]

    @property
    def ahead(self) -> list[Hashable]:
        """The keys behind the frontier, which are known from before records moved."""
        return [] if self.at_its_end else list(self._keys)[self.place(self.frontier) + 1 :]

    @property
    def at_its_end(self) -> bool:
        """Whether nothing is remembered ahead of the frontier."""
        return next(reversed(self._keys)) == self.frontier

    def place(self, key: Hashable) -> int:
        """Return how many keys come before this one, which must be known."""
        return next(place for place, known in enumerate(self._keys) if known == key)

    def _trim(self) -> None:
        keys = list(self._keys)
        read = self.place(self.frontier) + 1
        behind, ahead = keys[:read][-self.capacity :], keys[read:][: 2 * self.capacity]
        if len(behind) + len(ahead) < len(keys):
            self.forgetful = True
            self._keys = dict.fromkeys(behind + ahead)
