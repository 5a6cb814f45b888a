"""Markdown of reports."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table. Cells may hold names from outside: bars, line breaks and tags in them stay text."""
    return ["| " + " | ".join(map(_cell, cells)) + " |" for cells in (head, ["---"] * len(head), *rows)]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;")
