"""Which sources an earlier run finished, in little memory."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

_DIGEST = 16  # bytes: among a million names, two have the same digest with a probability of 1e-27


class DoneSources:
    """Names of sources that are done; each may be taken as often as it was added. 17 bytes a name, however long."""

    def __init__(self) -> None:
        self._added = bytearray()
        self._names = np.empty(0, f"S{_DIGEST}")  # sorted
        self._taken = np.empty(0, bool)

    def add(self, name: str) -> None:
        """Add a name; before the first is taken."""
        self._added += _digest(name)

    def take(self, name: str) -> bool:
        """Whether a source is done; asked once for each source."""
        if self._added:
            self._names = np.sort(np.frombuffer(bytes(self._added), self._names.dtype))
            self._taken = np.zeros(len(self._names), bool)
            self._added.clear()
        digest = np.array(_digest(name), self._names.dtype)
        place = int(np.searchsorted(self._names, digest))
        while place < len(self._names) and self._names[place] == digest:
            if not self._taken[place]:
                self._taken[place] = True
                return True
            place += 1
        return False

    @property
    def taken(self) -> int:
        """How many were taken."""
        return int(self._taken.sum())

    def __len__(self) -> int:
        return len(self._names) + len(self._added) // _DIGEST


def _digest(name: str) -> bytes:
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()
