"""Texts of strangers in our messages: a model's, a file's or a library's."""

from __future__ import annotations

_LONGEST = 200


def shortened(value: object, limit: int = _LONGEST) -> str:
    """A text as it is, or its beginning and how long it is.

    Args:
        value: A text, or what is shown as ``repr`` shows it.
        limit: Most characters of it that are shown.
    """
    text = value if isinstance(value, str) else _shown(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text):,} characters)"


def _shown(value: object) -> str:
    try:
        return repr(value)
    except (RecursionError, ValueError):  # nested too deep; a whole number of more digits than Python writes
        return f"a {type(value).__name__} too large to show"
