"""``maskcheck-export card``."""

from __future__ import annotations

from pathlib import Path

import click

from maskcheck_export.commands.prepare import require_export


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="File to write.  [default: beside the model]")
@click.option("--append", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Markdown file to append.")
def card(model: Path, output: Path | None, append: Path | None) -> None:
    """Write the model card of the ONNX file MODEL, from its metadata."""
    require_export(backend="tensorflow")

    from maskcheck_export.conversion.card import write_card

    click.echo(write_card(model, output, more=append.read_text(encoding="utf-8") if append else ""))
