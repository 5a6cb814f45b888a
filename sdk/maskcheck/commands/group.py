"""What the commands ``maskcheck``, ``maskcheck-export`` and ``maskcheck-bench`` share."""

from __future__ import annotations

import errno
import os
from importlib.util import find_spec
from typing import Any

import click

from maskcheck.commands.exits import CANNOT_RUN
from maskcheck.errors import MaskCheckError


class CommandGroup(click.Group):
    """A command with subcommands; errors that a user can mend become a message and status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        # Recent ONNX Runtime builds send telemetry unless this is set before they load. A tool that looks at faces
        # should not; an application that embeds the SDK decides for itself.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        try:
            return super().invoke(ctx)
        except MaskCheckError as error:
            message = str(error)
        except ImportError as error:  # numpy or OpenCV: they are required, so the installation is damaged
            message = f"{error}; `maskcheck doctor` says what to do about it"
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of a pipe has gone, as `head` does: click ends quietly
                raise
            message = f"cannot read or write {error.filename}: {error.strerror}" if error.filename else str(error)
        click.echo(f"{ctx.info_name}: {message}", err=True)
        return ctx.exit(CANNOT_RUN)


def require_extra(extra: str, *modules: str) -> None:
    """Check that the packages of an extra are installed.

    Raises:
        MaskCheckError: One is missing; the message says what to install.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise MaskCheckError(f'not installed: {", ".join(missing)}; install with: pip install "maskcheck[{extra}]"')
