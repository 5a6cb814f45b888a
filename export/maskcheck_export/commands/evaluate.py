"""``maskcheck-export evaluate``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from maskcheck_export.commands.prepare import require_export


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--label", "labels", multiple=True, help="Only faces of this label; repeat.  [default: all that the model knows]"
)
@click.option("--restrict", is_flag=True, help="Decide among the labels of --label, as if the model knew no others.")
@click.option(
    "--output",
    default=Path("evaluation"),
    type=click.Path(path_type=Path),
    help="Folder for the report; one that is there is replaced.",
)
def evaluate(model: Path, data: tuple[Path, ...], labels: tuple[str, ...], restrict: bool, output: Path) -> None:
    """Measure MODEL, a .keras or .onnx file, on the labelled faces in DATA folders, and write a report.

    A DATA folder holds annotations.json (COCO boxes) beside images/, or a folder of pictures for each label; or it is
    the folder of a training, whose test faces are taken. A .keras file is to lie in the folder of its training.
    """
    require_export()
    from maskcheck_export.data.samples import describe
    from maskcheck_export.errors import DataError
    from maskcheck_export.evaluation.examination import examine, find_faces
    from maskcheck_export.evaluation.metrics import classification_report
    from maskcheck_export.evaluation.prediction import load_classifier
    from maskcheck_export.evaluation.prediction import restrict as restrict_to
    from maskcheck_export.evaluation.report import write_report

    classifier = load_classifier(model)
    unknown = [label for label in labels if label not in classifier.labels]
    if unknown:
        raise DataError(f"{model} knows the labels {', '.join(classifier.labels)}, not {', '.join(unknown)}")
    if restrict:
        classifier = restrict_to(classifier, labels)
    listings = [find_faces(folder, labels or classifier.labels) for folder in data]
    samples = [sample for listing in listings for sample in listing.samples]
    skipped = [line for listing in listings for line in listing.skipped]
    click.echo(f"{len(samples)} faces; {describe(samples)}", err=True)
    with click.progressbar(samples, label="classifying", file=sys.stderr) as progress:
        examination = examine(classifier, progress, skipped)
    for line in examination.skipped:
        click.echo(f"skipped: {line}", err=True)
    chosen = [part for label in labels for part in ("--label", label)]
    chosen += ["--restrict"] if restrict else []
    command = shlex.join(["maskcheck-export", "evaluate", *map(str, (model, *data)), *chosen, "--output", str(output)])
    page = write_report(examination, output, data=data, command=command)
    click.echo(classification_report(examination.true, examination.predicted, classifier.labels))
    click.echo(f"report: {page}")
