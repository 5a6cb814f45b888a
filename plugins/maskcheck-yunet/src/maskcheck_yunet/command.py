"""The command ``maskcheck-yunet``."""

from __future__ import annotations

import click

from maskcheck.plugins import CommandGroup
from maskcheck_yunet.model import ADDRESS, SHA256, fetch_model


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="maskcheck-yunet")
def main() -> None:
    """The model of the detector yunet."""


@main.command(epilog=f"SHA-256 of the file: {SHA256}")
@click.option("--from", "address", default=ADDRESS, show_default=True, metavar="URL", help="Where to fetch it from.")
def fetch(address: str) -> None:
    """Fetch the model (0.3 MB) into the user's cache directory, check it, and print where it lies."""
    click.echo(fetch_model(address))
