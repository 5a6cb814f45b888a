"""``maskcheck-export split``."""

from __future__ import annotations

from pathlib import Path

import click

from maskcheck_export.commands.log import report
from maskcheck_export.commands.prepare import require_export
from maskcheck_export.commands.recipe_options import HELP_RECIPES, read_settings, recipe_options


@click.command(epilog=HELP_RECIPES)
@recipe_options
@click.option("--data-set", required=True, help="Folder name of the data set whose pictures are listed.")
@click.option(
    "--part",
    default="test",
    type=click.Choice(["training", "validation", "test"]),
    help="Part of the split whose pictures are listed.",
)
def split(recipe: str, data_root: Path, changes: tuple[str, ...], data_set: str, part: str) -> None:
    """List the pictures that RECIPE puts into a part of its split, by file name, each on a line of its own.

    `fit-judge --leave-out` and `maskcheck-bench accuracy --only` read such a list.
    """
    require_export()
    from maskcheck_export.data.gathering import gather
    from maskcheck_export.data.split import split
    from maskcheck_export.errors import DataError

    settings = read_settings(recipe, None, changes)
    samples = gather(settings, data_root, report=report)
    names = sorted({sample.dataset for sample in samples})
    if data_set not in names:
        raise DataError(f"the recipe has no data set {data_set!r}; its data sets: {', '.join(names)}")
    parts = split(samples, settings.split, settings.seed)
    faces = [sample for sample in getattr(parts, part) if sample.dataset == data_set]
    for name in sorted({sample.path.name for sample in faces}):
        click.echo(name)
    report(f"{part} part of {data_set}: {len(faces)} faces")
