"""``maskcheck schema``: the JSON Schema of what ``detect`` writes."""

from __future__ import annotations

from pathlib import Path

import click

SCHEMA_FILE = Path(__file__).parents[1] / "schemas" / "maskcheck-1.schema.json"


@click.command(short_help="Print the JSON Schema of results.")
def schema() -> None:
    """Print the JSON Schema (draft 2020-12) of `maskcheck/1`, the lines of JSON that `maskcheck detect` writes."""
    click.echo(SCHEMA_FILE.read_text(encoding="utf-8"), nl=False)
