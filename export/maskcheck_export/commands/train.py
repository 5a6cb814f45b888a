"""``maskcheck-export train``."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

import click

from maskcheck_export.commands.log import FolderLog
from maskcheck_export.commands.prepare import require_export

HELP_RECIPES = "RECIPE is a TOML file, or one that comes with maskcheck: recipes/default.toml, recipes/seed.toml."


@click.command(epilog=HELP_RECIPES)
@click.argument("recipe")
@click.option("--run", "folder", required=True, type=click.Path(path_type=Path), help="Folder to write the run to.")
@click.option(
    "--data-root",
    default=".",
    type=click.Path(path_type=Path),
    help="Folder that the recipe's data paths are relative to.",
)
@click.option("--weights", help="Start of the body, instead of the recipe's network.weights.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change the recipe: stages.all.epochs=4.")
@click.option("--resume", is_flag=True, help="Go on after the last finished epoch of a training that was stopped.")
@click.option(
    "--pack", "pack_folder", type=click.Path(path_type=Path), help="Folder of packed faces, to share between runs."
)
def train(
    recipe: str,
    folder: Path,
    data_root: Path,
    weights: str | None,
    changes: tuple[str, ...],
    resume: bool,
    pack_folder: Path | None,
) -> None:
    """Train InceptionV3 by a RECIPE.

    A data set's folder holds either annotations.json (COCO boxes) beside images/, or a folder of pictures for each
    label. The run's folder gets model.keras, run.json, history.csv, training.log and a checkpoint of each epoch.
    """
    require_export()
    from maskcheck_export.settings import read_recipe

    if weights:
        changes = (*changes, f"network.weights='{weights}'")
    settings = read_recipe(recipe, changes)

    from maskcheck_export.data.gathering import gather
    from maskcheck_export.evaluation.metrics import as_lines
    from maskcheck_export.training.training import train

    say = FolderLog(folder / "training.log")
    samples = gather(settings, data_root, report=say)
    with redirect_stdout(sys.stderr):  # Keras prints its progress bar to standard output
        run = train(
            samples,
            settings,
            folder,
            resume=resume,
            pack_folder=pack_folder,
            report=say,
            verbose="auto" if sys.stderr.isatty() else 0,
        )
    click.echo(f"trained from {run.commit} into {folder}; on {len(run.parts.test)} faces kept out:")
    click.echo("\n".join(as_lines(dict(run.metrics))))
