"""The command ``maskcheck``."""

from __future__ import annotations

import os
from typing import Any

import click

from maskcheck.commands.detect import detect
from maskcheck.commands.detectors import detectors
from maskcheck.commands.doctor import doctor
from maskcheck.commands.exits import CANNOT_RUN
from maskcheck.commands.info import info
from maskcheck.errors import MaskCheckError


class _Group(click.Group):
    """Turns the errors that a user can mend into a message and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MaskCheckError as error:
            message = str(error)
        except ImportError as error:  # numpy or OpenCV: they are required, so the installation is damaged
            message = f"{error}; `maskcheck doctor` says what to do about it"
        click.echo(f"maskcheck: {message}", err=True)
        return ctx.exit(CANNOT_RUN)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="maskcheck")
def main() -> None:
    """Find faces in pictures and say of each whether it wears a face mask.

    Exit status: 0 success, 1 finished but something failed, 2 could not run.
    """
    # Recent ONNX Runtime builds send telemetry unless this is set before they load. A tool that looks at faces
    # should not; an application that embeds the SDK decides for itself.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


for _command in (detect, detectors, doctor, info):
    main.add_command(_command)
