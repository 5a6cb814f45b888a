"""``-v`` and ``-vv``: what the loggers of maskcheck report, on standard error while a command runs."""

from __future__ import annotations

import logging
import sys
from typing import Any

import click

from maskcheck.commands.console import printable

_LOGGERS = ("maskcheck", "maskcheck_export", "maskcheck_bench")
_FORMAT = "%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s"
_COUNT = "maskcheck.verbosity"  # key of the context's meta, which a command shares with its subcommand


def add_verbose_option(command: click.Command) -> None:
    """Give a command the option ``-v``, if it does not have it."""
    if not any("-v" in option.opts for option in command.params):
        command.params.append(
            click.Option(
                ["-v", "--verbose"],
                count=True,
                expose_value=False,
                callback=_configure,
                help="Report on standard error what is loaded and done; -vv reports more.",
            )
        )


def _configure(ctx: click.Context, _param: click.Parameter, count: int) -> None:
    if not count:
        return
    if _COUNT not in ctx.meta:
        _add_handler(ctx.find_root())
    ctx.meta[_COUNT] = ctx.meta.get(_COUNT, 0) + count
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.INFO if ctx.meta[_COUNT] == 1 else logging.DEBUG)


def _add_handler(ctx: click.Context) -> None:
    """Add a handler to the loggers until the command ends: a program may call it in its own process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_PrintableFormatter(_FORMAT, datefmt="%H:%M:%S"))
    before = {name: logging.getLogger(name).level for name in _LOGGERS}
    for name in _LOGGERS:
        logging.getLogger(name).addHandler(handler)

    def remove() -> None:
        for name, level in before.items():
            logging.getLogger(name).removeHandler(handler)
            logging.getLogger(name).setLevel(level)

    ctx.call_on_close(remove)


class _PrintableFormatter(logging.Formatter):
    """Makes names of files and plugins harmless to a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> Any:  # noqa: N802  the name of the base class
        return printable(super().formatMessage(record))
