"""What the commands ``maskcheck``, ``maskcheck-export`` and ``maskcheck-bench`` share."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import click

from maskcheck.commands.console import printable
from maskcheck.commands.exits import CANNOT_RUN, INTERRUPTED, end_process
from maskcheck.commands.standard_streams import prepare_standard_streams
from maskcheck.commands.verbosity import add_verbose_option
from maskcheck.errors import MaskCheckError, ModelTimeout

OWNS_PROCESS = "maskcheck.owns_process"
"""Key of a context's ``meta``: whether the command may end its process. A program that calls it goes on."""


class CommandGroup(click.Group):
    """A command with subcommands. Errors that a user can fix become a message and exit status 2.

    The command and its subcommands take ``-v`` and ``-vv``, which report on standard error what happens.
    """

    _owns_process = False

    def __init__(self, *args: Any, **extra: Any) -> None:
        super().__init__(*args, **extra)
        add_verbose_option(self)

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a subcommand."""
        add_verbose_option(cmd)
        super().add_command(cmd, name)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command, by default as the one that owns the process."""
        if getattr(sys, "frozen", False):
            from multiprocessing import freeze_support

            freeze_support()  # a worker process of a frozen program is the program again
        self._owns_process = extra.get("standalone_mode", True)
        if self._owns_process:
            prepare_standard_streams()
        return super().main(*args, **extra)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the command line."""
        with _printable_errors():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        # Recent ONNX Runtime builds send telemetry unless this is set before they load, which a tool for pictures of
        # faces should not do. A program that embeds the SDK decides for itself.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        ctx.meta[OWNS_PROCESS] = self._owns_process
        try:
            with _printable_errors():
                return super().invoke(ctx)
        except ModelTimeout as error:
            click.echo(f"{ctx.info_name}: {printable(str(error))}", err=True)
            end_process(CANNOT_RUN)  # the model may still be loading, in a thread that cannot be stopped
        except MaskCheckError as error:
            message = str(error)
        except ImportError as error:  # of numpy or OpenCV, which are required: the installation is damaged
            message = f"{error}; {_ASK_DOCTOR}"
        except AttributeError as error:
            if not lacks_opencv(error):
                raise
            message = f"OpenCV is damaged: {error}; {_ASK_DOCTOR}"
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of a pipe has ended, as `head` does: no message
                raise
            message = f"cannot read or write {error.filename}: {error.strerror}" if error.filename else str(error)
        except MemoryError as error:
            message = f"not enough memory{f': {error}' if str(error) else ''}"
        except KeyboardInterrupt:
            if not self._owns_process:
                raise
            click.echo(f"{ctx.info_name}: interrupted", err=True)
            end_process(INTERRUPTED)  # at once, as threads may hang in native code
        click.echo(f"{ctx.info_name}: {printable(message, keep=_LINES)}", err=True)
        return ctx.exit(CANNOT_RUN)


_LINES = "\n"
_ASK_DOCTOR = "`maskcheck doctor` says what to do about it"


def lacks_opencv(error: BaseException | None) -> bool:
    """Whether the cause of an error is an OpenCV that is missing or damaged (by an incomplete uninstallation, say)."""
    if isinstance(error, ImportError):
        name = error.name
    elif isinstance(error, AttributeError):
        name = getattr(error.obj, "__name__", None)
    else:
        return False
    return isinstance(name, str) and name.partition(".")[0] == "cv2"


@contextmanager
def _printable_errors() -> Iterator[None]:
    """Make names in click's messages about wrong usage harmless to a terminal."""
    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = printable(error.message, keep=_LINES)  # click calls it final
        raise


def require_extra(extra: str, *modules: str) -> None:
    """Check that the packages of an extra are installed.

    Raises:
        MaskCheckError: One is missing; the message says what to install.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise MaskCheckError(f'not installed: {", ".join(missing)}; install with: pip install "maskcheck[{extra}]"')
