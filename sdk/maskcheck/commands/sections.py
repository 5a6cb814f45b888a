"""A command whose help lists its options in sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click


class SectionedCommand(click.Command):
    """A command with many options, which its help lists in sections.

    Args:
        sections: For each title, the names of its options as parameters; other options come last, under ``Others``.
    """

    def __init__(self, *args: Any, sections: Mapping[str, Sequence[str]], **others: Any) -> None:
        super().__init__(*args, **others)
        self._sections = sections

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        records = {option.name: record for option in options if (record := option.get_help_record(ctx)) is not None}
        for title, names in self._sections.items():
            rows = [records.pop(name) for name in names]
            with formatter.section(title):
                formatter.write_dl(rows)
        with formatter.section("Others"):
            formatter.write_dl(list(records.values()))


def read_time(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """The value of an option, a time in seconds or as ``m:ss`` or ``h:mm:ss``, in seconds."""
    if value is None:
        return None
    parts = value.split(":")
    seconds = 0.0
    try:
        for part in parts:
            seconds = seconds * 60 + float(part)
    except ValueError:
        seconds = float("nan")
    if not (0 <= seconds < float("inf")) or len(parts) > 3:
        raise click.BadParameter(f"expected seconds, m:ss or h:mm:ss, got {value!r}")
    return seconds
