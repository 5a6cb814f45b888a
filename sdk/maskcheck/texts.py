"""Shortening text that comes from outside, such as a model, a file or a library, before it goes into a message."""

from __future__ import annotations

_MAX_CHARACTERS = 200


def shortened(value: object, limit: int = _MAX_CHARACTERS) -> str:
    """A text as it is, or its beginning and its length.

    Args:
        value: A text; anything else is shown by its ``repr``.
        limit: Most characters of it that are kept.
    """
    text = value if isinstance(value, str) else _repr(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text):,} characters)"


def shortened_path(path: str) -> str:
    """A path as it is, or its beginning and end: its file name stays. A data URI may have a million characters."""
    half = _MAX_CHARACTERS // 2
    return path if len(path) <= _MAX_CHARACTERS else f"{path[:half]}...{path[-half:]}"


def _repr(value: object) -> str:
    try:
        return repr(value)
    except (RecursionError, ValueError):  # nested too deeply; an integer with more digits than Python converts
        return f"a {type(value).__name__} too large to show"
