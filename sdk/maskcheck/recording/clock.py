"""A time as people read it."""

from __future__ import annotations


def clock(seconds: float, *, tenths: bool = False) -> str:
    """Minutes and seconds, such as ``0:07``, ``12:34`` or ``1:02:03``.

    Args:
        seconds: From 0.
        tenths: Whether tenths of a second are shown, such as ``0:07.5``.
    """
    units = max(0, round(seconds * 10)) if tenths else max(0, int(seconds + 0.5)) * 10
    minutes, rest = divmod(units, 600)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 10:04.1f}" if tenths else f"{rest // 10:02d}"
    return f"{hours}:{minutes:02d}:{text}" if hours else f"{minutes}:{text}"
