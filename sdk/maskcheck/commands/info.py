"""``maskcheck info``: what a model file says of itself."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from maskcheck.commands.options import json_flag


@click.command(short_help="Show what a model file says of itself.")
@click.argument("model", required=False, type=click.Path(path_type=Path))
@json_flag
def info(model: Path | None, as_json: bool) -> None:
    """Show what the classifier MODEL says of itself; by default, the embedded one."""
    from maskcheck.classifier import MaskClassifier

    classifier = MaskClassifier(model, device="cpu", precision="stored")  # this very file, whatever was tuned
    about = asdict(classifier.info)
    content = {
        "file": Path(classifier.path).name,
        "megabytes": round(Path(classifier.path).stat().st_size / 1e6, 1),
        "sha256": classifier.sha256,
        **about,
    }
    if as_json:
        click.echo(json.dumps({"schema": "maskcheck-info/1", **content}, indent=2))
        return
    from rich.markup import escape
    from rich.table import Table

    from maskcheck.commands.console import console

    table = Table(box=None, pad_edge=False, show_header=False)
    for key, value in content.items():
        text = json.dumps(value, indent=1) if isinstance(value, dict) else value
        table.add_row(key, escape(", ".join(value) if isinstance(value, tuple) else str(text)))
    console().print(table)
