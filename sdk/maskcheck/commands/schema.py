"""``maskcheck schema``: the JSON Schema of what ``detect`` and ``batch`` write."""

from __future__ import annotations

from pathlib import Path

import click

_FOLDER = Path(__file__).parents[1] / "schemas"
_FILES = {
    "results": "maskcheck-1.schema.json",
    "receipt": "maskcheck-receipt-1.schema.json",
    "summary": "maskcheck-summary-1.schema.json",
    "event": "maskcheck-event-1.schema.json",
    "batch": "maskcheck-batch-1.schema.json",
}


@click.command(short_help="Print the JSON Schema of results, or of what is beside them.")
@click.argument("document", type=click.Choice(list(_FILES)), default="results")
def schema(document: str) -> None:
    """Print the JSON Schema (draft 2020-12) of a document that `maskcheck detect` or `maskcheck batch` writes.

    `maskcheck schema` prints that of `maskcheck/1`, the JSON lines of the results; `maskcheck schema receipt` that of
    `maskcheck-receipt/1`, the receipt beside them; `maskcheck schema summary` that of `maskcheck-summary/1`, the
    summary of a video; `maskcheck schema event` that of `maskcheck-event/1`, the JSON lines of `--events`; `maskcheck
    schema batch` that of `maskcheck-batch/1`, the report of `maskcheck batch`.
    """
    click.echo((_FOLDER / _FILES[document]).read_text(encoding="utf-8"), nl=False)
