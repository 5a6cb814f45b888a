"""``maskcheck-export evaluate``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from maskcheck_export.commands.log import report
from maskcheck_export.commands.prepare import require_export


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--label",
    "labels",
    multiple=True,
    help="Measure only faces of this label; may be repeated.  [default: the labels of the model]",
)
@click.option("--restrict", is_flag=True, help="Let the model decide among the labels of --label only.")
@click.option(
    "--output",
    default=Path("evaluation"),
    type=click.Path(path_type=Path),
    help="Folder for the report; an earlier report in it is replaced.",
)
def evaluate(model: Path, data: tuple[Path, ...], labels: tuple[str, ...], restrict: bool, output: Path) -> None:
    """Measure MODEL, a .keras or .onnx file, on the labelled faces in DATA folders, and write a report.

    A DATA folder holds annotations.json (COCO boxes) beside images/, or a folder of pictures for each label; or it is
    the folder of a training, whose test faces are used. A .keras file must be in the folder of its training.
    """
    require_export()
    from maskcheck_export.data.samples import describe
    from maskcheck_export.errors import DataError
    from maskcheck_export.evaluation.evaluation_report import write_report
    from maskcheck_export.evaluation.examination import examine, list_test_faces
    from maskcheck_export.evaluation.metrics import classification_report
    from maskcheck_export.evaluation.prediction import load_classifier
    from maskcheck_export.evaluation.prediction import restrict as restrict_to

    classifier = load_classifier(model)
    unknown = [label for label in labels if label not in classifier.labels]
    if unknown:
        raise DataError(f"{model} has the labels {', '.join(classifier.labels)}, not {', '.join(unknown)}")
    if restrict:
        classifier = restrict_to(classifier, labels)
    listings = [list_test_faces(folder, labels or classifier.labels) for folder in data]
    samples = [sample for listing in listings for sample in listing.samples]
    skipped = [line for listing in listings for line in listing.skipped]
    report(f"{len(samples)} faces; {describe(samples)}")
    with click.progressbar(samples, label="classifying", file=sys.stderr) as progress:
        examination = examine(classifier, progress, skipped)
    for line in examination.skipped:
        report(f"skipped: {line}")
    options = [part for label in labels for part in ("--label", label)]
    options += ["--restrict"] if restrict else []
    command = shlex.join(["maskcheck-export", "evaluate", *map(str, (model, *data)), *options, "--output", str(output)])
    page = write_report(examination, output, data=data, command=command)
    click.echo(classification_report(examination.true, examination.predicted, classifier.labels))
    click.echo(f"report: {page}")
