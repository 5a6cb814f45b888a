"""Which form of an answer the caller wants, by the header ``Accept`` (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence

from maskcheck.service.problems import Problem


def choose_form(accept: str, offered: Sequence[str]) -> str:
    """The media type that the caller likes best.

    Args:
        accept: The header; empty for any.
        offered: Media types; the first is taken where the caller has no preference.

    Raises:
        Problem: 406, the caller accepts none of them.
    """
    wanted = [_read(part) for part in accept.split(",") if part.strip()]
    if not wanted:
        return offered[0]
    best = max(offered, key=lambda form: _quality(form, wanted))  # of equals, the first
    if _quality(best, wanted) <= 0:
        raise Problem(406, f"expected Accept: {', '.join(offered)} or */*, got {accept}", reason="not_acceptable")
    return best


def _read(part: str) -> tuple[str, float]:
    """A media type, perhaps with ``*``, and its quality."""
    kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                quality = float(parameter[2:])
            except ValueError:
                quality = 0.0
    return kind, quality


def _quality(form: str, wanted: Sequence[tuple[str, float]]) -> float:
    """That of the most exact match; 0 for none."""
    qualities = dict(wanted)
    for kind in (form, form.partition("/")[0] + "/*", "*/*"):
        if kind in qualities:
            return qualities[kind]
    return 0.0
