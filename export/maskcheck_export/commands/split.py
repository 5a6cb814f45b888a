"""``maskcheck-export split``."""

from __future__ import annotations

from pathlib import Path

import click

from maskcheck_export.commands.prepare import require_export
from maskcheck_export.commands.recipe_options import HELP_RECIPES, chosen_settings


@click.command(epilog=HELP_RECIPES)
@click.argument("recipe")
@click.option(
    "--data-root",
    default=".",
    type=click.Path(path_type=Path),
    help="Folder that the recipe's data paths are relative to.",
)
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change the recipe, as of `train`.")
@click.option("--data-set", required=True, help="Folder name of the data set whose pictures are listed.")
@click.option(
    "--part",
    default="test",
    type=click.Choice(["training", "validation", "test"]),
    help="Which part: test pictures are kept out of training.",
)
def split(recipe: str, data_root: Path, changes: tuple[str, ...], data_set: str, part: str) -> None:
    """List the pictures that a training by RECIPE learns from, is stopped by, or keeps out; file names, one a line.

    The list is what `fit-judge --leave-out` and `maskcheck-bench accuracy --only` take.
    """
    require_export()
    from maskcheck_export.data.gathering import gather
    from maskcheck_export.data.split import split_by_recipe
    from maskcheck_export.errors import DataError

    settings = chosen_settings(recipe, None, changes)
    samples = gather(settings, data_root, report=lambda line: click.echo(line, err=True))
    names = sorted({sample.dataset for sample in samples})
    if data_set not in names:
        raise DataError(f"the recipe has no data set {data_set!r}; its data sets: {', '.join(names)}")
    parts = split_by_recipe(samples, settings)
    chosen = [sample for sample in getattr(parts, part) if sample.dataset == data_set]
    for name in sorted({sample.path.name for sample in chosen}):
        click.echo(name)
    click.echo(f"{part} part of {data_set}: {len(chosen)} faces", err=True)
