"""``maskcheck-export tune``."""

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
@click.option("--study", "folder", required=True, type=click.Path(path_type=Path), help="Folder of the search.")
@click.option("--space", default="recipes/space.toml", help="TOML file of the keys and values to search.")
@click.option("--trials", type=click.IntRange(1), help="Stop after this many trials, with those of earlier calls.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="Start no trial after this many minutes.")
def tune(
    recipe: str,
    folder: Path,
    space: str,
    trials: int | None,
    minutes: float | None,
    data_root: Path,
    weights: str | None,
    changes: tuple[str, ...],
    pack_folder: Path | None,
) -> None:
    """Search for better settings of a RECIPE, by the loss on the validation faces.

    Call it again with the same folder to go on. The folder gets report.md, report.json, plots and best.toml.
    """
    if trials is None and minutes is None:
        raise click.UsageError("expected a limit: --trials, --minutes or both")
    require_export()
    from maskcheck_export.data.gathering import gather
    from maskcheck_export.data.proposals import gather_proposals
    from maskcheck_export.search.search_report import write_report
    from maskcheck_export.search.space import read_space
    from maskcheck_export.search.study import search
    from maskcheck_export.training.training import train

    settings = read_settings(recipe, weights, changes)
    searched = read_space(space, settings)
    report = LogFile(folder / "tuning.log")
    faces = gather(settings, data_root, report=report)
    with redirect_stdout(sys.stderr):  # Keras prints its progress bar to standard output
        study = search(
            faces + gather_proposals(settings, data_root, faces, report=report),
            settings,
            searched,
            folder,
            train=train,
            trials=trials,
            minutes=minutes,
            pack_folder=pack_folder,
            report=report,
            verbose="auto" if sys.stderr.isatty() else 0,
        )
    page = write_report(study, settings, searched, folder)
    click.echo(f"best: trial {study.best_trial.number}, validation loss {study.best_value:.4f}")
    click.echo(f"report: {page}")
