"""``maskcheck-export train``."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

import click

from maskcheck_export.commands.log import LogFile
from maskcheck_export.commands.prepare import require_export
from maskcheck_export.commands.recipe_options import HELP_RECIPES, read_settings, training_options


@click.command(epilog=HELP_RECIPES)
@training_options
@click.option("--run", "folder", required=True, type=click.Path(path_type=Path), help="Folder for the run.")
@click.option("--resume", is_flag=True, help="Go on with a training that was stopped, after its last finished epoch.")
def train(
    recipe: str,
    folder: Path,
    data_root: Path,
    weights: str | None,
    changes: tuple[str, ...],
    resume: bool,
    pack_folder: Path | None,
) -> None:
    """Train a classifier by a RECIPE.

    The folder of a data set holds either annotations.json (COCO boxes) beside images/, or a folder of pictures for
    each label. The folder of the run gets model.keras, run.json, history.csv, training.log and a checkpoint.
    """
    require_export()
    settings = read_settings(recipe, weights, changes)

    from maskcheck_export.data.gathering import gather
    from maskcheck_export.data.proposals import gather_proposals
    from maskcheck_export.evaluation.metrics import as_lines
    from maskcheck_export.training.training import train

    report = LogFile(folder / "training.log")
    faces = gather(settings, data_root, report=report)
    samples = faces + gather_proposals(settings, data_root, faces, report=report)
    with redirect_stdout(sys.stderr):  # Keras prints its progress bar to standard output
        run = train(
            samples,
            settings,
            folder,
            resume=resume,
            pack_folder=pack_folder,
            report=report,
            verbose="auto" if sys.stderr.isatty() else 0,
        )
    click.echo(f"trained from {run.commit} into {folder}; on {len(run.parts.test)} test faces:")
    click.echo("\n".join(as_lines(dict(run.metrics))))
