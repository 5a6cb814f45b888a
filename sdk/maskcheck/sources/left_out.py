"""Counts the files that a search skips, by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePath

_MAX_ENDINGS = 5  # that are named


class LeftOut:
    """Counts what a search skips. As text: ``2 files that are no pictures (2 .txt), 1 hidden``."""

    def __init__(self) -> None:
        self._endings: Counter[str] = Counter()
        self._spellings: dict[str, str] = {}  # of each ending, as it came first
        self._kinds: Counter[tuple[str, str]] = Counter()

    def count_other_file(self, name: str) -> None:
        """Count a file that is not a picture.

        Args:
            name: Its file name.
        """
        ending = PurePath(name).suffix
        self._endings[ending.lower()] += 1
        self._spellings.setdefault(ending.lower(), ending)

    def count(self, singular: str, plural: str) -> None:
        """Count something else.

        Args:
            singular: Its kind, as it follows the number 1.
            plural: Its kind, as it follows other numbers; empty if there is at most one, which is shown without number.
        """
        self._kinds[singular, plural] += 1

    def add(self, other: LeftOut) -> None:
        """Add the counts of another search."""
        self._endings.update(other._endings)
        self._spellings = other._spellings | self._spellings
        self._kinds.update(other._kinds)

    def __bool__(self) -> bool:
        return bool(self._endings or self._kinds)

    def __str__(self) -> str:
        parts = []
        files = self._endings.total()
        if files:
            words = "file that is no picture" if files == 1 else "files that are no pictures"
            parts.append(f"{files} {words} ({', '.join(self._counted_endings())})")
        for (singular, plural), number in self._kinds.items():
            parts.append(f"{number} {singular if number == 1 else plural}" if plural else singular)
        return ", ".join(parts)

    def _counted_endings(self) -> Iterator[str]:
        ranked = self._endings.most_common()
        for ending, number in ranked[:_MAX_ENDINGS]:
            yield f"{number} {self._spellings[ending] or 'without an ending'}"
        others = sum(number for _, number in ranked[_MAX_ENDINGS:])
        if others:
            yield f"{others} with other endings"
