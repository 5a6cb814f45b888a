"""``maskcheck-export train``."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

import click

from maskcheck_export.commands.log import FolderLog
from maskcheck_export.commands.prepare import require_export
from maskcheck_export.commands.recipe_options import HELP_RECIPES, chosen_settings, recipe_options


@click.command(epilog=HELP_RECIPES)
@recipe_options
@click.option("--run", "folder", required=True, type=click.Path(path_type=Path), help="Folder to write the run to.")
@click.option("--resume", is_flag=True, help="Go on after the last finished epoch of a training that was stopped.")
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
    settings = chosen_settings(recipe, weights, changes)

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
