"""``maskcheck-export review``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from maskcheck_export.commands.log import report
from maskcheck_export.errors import DataError

if TYPE_CHECKING:
    from maskcheck.detectors.api import Detector

TABLE, SHEETS = "table.csv", "sheets"


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--detector",
    "detectors",
    multiple=True,
    required=True,
    metavar="'NAME [OPTION=VALUE ...]'",
    help="Detector and its options, as 'centerface preset=thorough'; repeat to pool several, which finds more.",
)
@click.option(
    "--output", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder for sheets and table."
)
@click.option(
    "--least-score",
    default=0.25,
    type=click.FloatRange(0, 1),
    help="Least score of a box to ask about; of several detectors, the geometric mean of their scores.",
)
@click.option(
    "--most", default=1000, type=click.IntRange(1), help="Most questions of each kind, those with the highest scores."
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="Classifier that doubts labels, an ONNX file.  [default: the embedded one]",
)
def review(
    data: Path, detectors: tuple[str, ...], output: Path, least_score: float, most: int, model: Path | None
) -> None:
    """Ask about the annotations of DATA, a folder of annotated pictures in COCO form.

    Writes contact sheets of numbered tiles, and table.csv with a row for each: boxes that detectors find and no
    annotation covers, annotated boxes for which the classifier is sure of another label, and annotated boxes at which
    no detector finds a face.

    Fill in the last column: a label of the data set, no_face, undecided, or, for an annotated box, keep or remove.
    `maskcheck-export complete` makes the answers into annotations.
    """
    from maskcheck.classifier.mask_classifier import MaskClassifier
    from maskcheck_export.annotations.answers import write_table
    from maskcheck_export.annotations.overlay import name_of, read_annotations
    from maskcheck_export.annotations.pool import ask
    from maskcheck_export.annotations.sheets import write_sheets

    if (output / TABLE).exists():
        raise DataError(f"{output / TABLE} is there already, perhaps with answers; choose another folder, or remove it")
    made = dict(map(_make_detector, detectors))
    annotated = read_annotations(data)
    pool = ask(
        annotated.pictures,
        data,
        detectors=made,
        classifier=MaskClassifier(model=model),
        least_score=least_score,
        report=report,
    )
    for line in annotated.skipped + pool.skipped:
        report(f"skipped: {line}")
    kinds = {
        "faces that may not be annotated": pool.missed,
        "labels that the classifier doubts": pool.labels,
        "annotated boxes without a face for any detector": pool.places,
    }
    questions = [question for kind in kinds.values() for question in kind[:most]]
    pictures = {name_of(picture, data): picture for picture in annotated.pictures}
    sheets = write_sheets(questions, pictures, output / SHEETS, annotated.categories)
    write_table(questions, output / TABLE)
    for name, kind in kinds.items():
        left_out = f", {len(kind) - most} more left out" if len(kind) > most else ""
        click.echo(f"{min(len(kind), most)} {name}{left_out}")
    click.echo(f"wrote {len(sheets)} sheets to {output / SHEETS}, and {output / TABLE} to fill in")


def _make_detector(text: str) -> tuple[str, Detector]:
    """A detector from a text such as ``centerface preset=thorough``, and the text.

    Raises:
        MaskCheckError: It is not known, or does not take the options.
    """
    from maskcheck.hosting.creation import create_detector, parse_detector
    from maskcheck.hosting.registry import default_registry

    name, options = parse_detector(text)
    return text, create_detector(default_registry().find(name).spec, options)
