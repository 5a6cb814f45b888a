"""How far a command is: a bar on a terminal, lines in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

import click

from maskcheck.commands.console import console

_Item = TypeVar("_Item")


def track(items: Sequence[_Item], title: str, noun: str, *, every: int) -> Iterator[_Item]:
    """Go through items and show the progress on standard error.

    Args:
        items: The items.
        title: Title of the bar.
        noun: What an item is called in a line.
        every: Number of items between two lines.
    """
    if sys.stderr.isatty():
        from rich import progress

        yield from progress.track(items, title, console=console(stderr=True), transient=True)
        return
    for number, item in enumerate(items, 1):
        if number % every == 0:
            click.echo(f"{noun} {number} of {len(items)}", err=True)
        yield item
