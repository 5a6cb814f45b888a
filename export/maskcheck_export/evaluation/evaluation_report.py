"""The report of an evaluation: a Markdown page with plots, and the same figures as JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from maskcheck import __version__
from maskcheck.evaluation.face_sizes import LARGE_FROM
from maskcheck_export.data.samples import describe
from maskcheck_export.evaluation.calibration import BINS, Reliability, fit_temperature
from maskcheck_export.evaluation.contact_sheet import plot_contact_sheet
from maskcheck_export.evaluation.examination import Examination
from maskcheck_export.evaluation.metrics import classification_report, score
from maskcheck_export.evaluation.plots import (
    plot_confusion,
    plot_precision_recall,
    plot_reliability,
    plot_slices,
    plot_training,
)
from maskcheck_export.evaluation.slices import BLUR, BLUR_SIZE, BRIGHTNESS, MASKED, cut_slices
from maskcheck_export.runs import HISTORY
from maskcheck_export.writing.markdown import table

SCHEMA = "maskcheck-evaluation/1"
PAGE = "report.md"
FIGURES = "report.json"
PLOTS = "plots"

WORST = 25
"""Most mistakes on the contact sheet."""

SHOWN_SKIPPED = 50
"""Most lines about skipped faces on the page; the JSON file has all."""

ENOUGH_FACES = 100
"""With fewer faces, a calibration error is mostly chance: the tables leave it out."""


def write_report(examination: Examination, folder: Path, *, data: Sequence[Path], command: str) -> Path:
    """Write ``report.md``, ``report.json`` and ``plots/*.png``; an earlier report in the folder is replaced.

    If the file of the classifier is in the folder of its training, the report shows the training curves.

    Args:
        examination: The answers of the classifier.
        folder: Folder of the report; created if missing.
        data: The folders of the faces.
        command: The command that repeats the evaluation.

    Returns:
        Path of ``report.md``.
    """
    figures = summarise_examination(examination) | {"command": command, "data": _about_data(examination, data)}
    plots = folder / PLOTS
    plots.mkdir(parents=True, exist_ok=True)
    for path in plots.glob("*.png"):
        path.unlink()
    drawn = _draw(examination, figures, plots)
    (folder / FIGURES).write_text(json.dumps(figures, indent=1, allow_nan=False), encoding="utf-8")
    page = folder / PAGE
    page.write_text("\n".join(_page(examination, figures, drawn)) + "\n", encoding="utf-8")
    return page


def summarise_examination(examination: Examination) -> dict[str, Any]:
    """All figures of an examination, ready for JSON: model, overall, calibration, slices and mistakes."""
    classifier, true, probabilities = examination.classifier, examination.true, examination.probabilities
    reliability = Reliability.measure(probabilities, true)
    return {
        "schema": SCHEMA,
        "maskcheck": __version__,
        "model": {
            "path": str(classifier.path),
            "sha256": classifier.sha256,
            "labels": list(classifier.labels),
            "input_size": classifier.size,
            "crop_margin": classifier.margin,
            "trained_on": classifier.trained_on,
        },
        "overall": score(true, probabilities, classifier.labels),
        "calibration": {
            "expected_calibration_error": reliability.error,
            "best_temperature": fit_temperature(probabilities, true),
            "bins": [
                {"from": i / BINS, "to": (i + 1) / BINS, "faces": int(faces), "correct": int(correct)}
                | {"confidence": float(confidence) if faces else None}
                for i, (faces, correct, confidence) in enumerate(
                    zip(reliability.faces, reliability.correct, reliability.confidence, strict=True)
                )
            ],
        },
        "slices": [
            {"kind": part.kind, "name": part.name}
            | score(true[part.members], probabilities[part.members], classifier.labels)
            for part in cut_slices(examination.samples, examination.traits)
        ],
        "mistakes": [_mistake(examination, i) for i in examination.mistakes],
    }


def _about_data(examination: Examination, data: Sequence[Path]) -> dict[str, Any]:
    return {
        "folders": [str(path) for path in data],
        "faces": len(examination.samples),
        "description": describe(examination.samples),
        "skipped": list(examination.skipped),
    }


def _mistake(examination: Examination, i: int) -> dict[str, Any]:
    sample = examination.samples[i]
    return {
        "path": str(sample.path),
        "box": list(sample.box),
        "dataset": sample.dataset,
        "label": sample.label,
        "predicted": examination.classifier.labels[examination.predicted[i]],
        "confidence": float(examination.confidence[i]),
    }


def _draw(examination: Examination, figures: Mapping[str, Any], plots: Path) -> Collection[str]:
    """Write the plots that there are data for, and return their names."""
    classifier, true, probabilities = examination.classifier, examination.true, examination.probabilities
    overall = figures["overall"]
    drawn = {
        "confusion": plot_confusion(np.array(overall["confusion_matrix"]), classifier.labels),
        "reliability": plot_reliability(Reliability.measure(probabilities, true), len(classifier.labels)),
        "slices": plot_slices(figures["slices"], overall),
    }
    if len(np.unique(true)) > 1:
        drawn["precision_recall"] = plot_precision_recall(true, probabilities, classifier.labels)
    history = classifier.path.parent / HISTORY
    if history.is_file():
        drawn["training"] = plot_training(history)
    for name, figure in drawn.items():
        figure.savefig(plots / f"{name}.png")
    worst = examination.mistakes[:WORST]
    if len(worst):
        captions = [
            (
                f"true: {examination.samples[i].label}",
                f"predicted: {classifier.labels[examination.predicted[i]]}",
                f"{examination.confidence[i]:.1%}, {examination.samples[i].shorter_side:.0f} px",
            )
            for i in worst
        ]
        samples = [examination.samples[i] for i in worst]
        plot_contact_sheet(samples, captions, margin=classifier.margin).savefig(plots / "mistakes.png")
    return drawn.keys()


def _page(examination: Examination, figures: Mapping[str, Any], drawn: Collection[str]) -> Iterator[str]:
    yield from _head(examination, figures)
    yield from _labels(examination, drawn)
    yield from _confidence(figures["calibration"])
    yield from _slices(figures["slices"], examination.classifier.labels)
    yield from _mistakes(len(examination.mistakes), len(examination.samples))
    if "training" in drawn:
        yield from ("", "## Training")
        yield from _picture(
            "training",
            "Training faces are augmented, and their loss includes the label smoothing and the label weights of the"
            " recipe: it may well be higher than the validation loss.",
        )
    yield from _skipped(examination.skipped)


def _head(examination: Examination, figures: Mapping[str, Any]) -> Iterator[str]:
    overall, model, data = figures["overall"], figures["model"], figures["data"]
    yield from (f"# Evaluation of {examination.classifier.path.name}", "")
    yield (
        f"**Accuracy {_with_interval(overall['accuracy'], overall['accuracy_interval'])} on {overall['faces']} faces;"
        f" mean recall {_share(overall['mean_recall'])};"
        f" expected calibration error {_share(overall['expected_calibration_error'])}.**"
    )
    yield ""
    yield (
        "In brackets: 95% confidence interval (Wilson). It treats faces as independent; faces of one picture, and"
        " near-duplicates, are not quite independent, so the true interval is a little wider. Scores on faces that the"
        " model was trained on are too high: the table lists its training faces."
    )
    yield ""
    yield table(
        ("", ""),
        [
            ("model", f"`{model['path']}`"),
            ("SHA-256", f"`{model['sha256']}`"),
            ("input", f"{model['input_size']} x {model['input_size']} px, crop margin {model['crop_margin']:.0%}"),
            ("trained on", model["trained_on"]),
            ("data", ", ".join(f"`{folder}`" for folder in data["folders"])),
            ("faces", f"{data['faces']}; {data['description']}"),
            ("skipped", f"{len(data['skipped'])} (listed at the end)" if data["skipped"] else "nothing"),
            ("made by", f"`{figures['command']}`, maskcheck {figures['maskcheck']}"),
        ],
    )


def _labels(examination: Examination, drawn: Collection[str]) -> Iterator[str]:
    yield from ("", "## Labels", "", "```text")
    report = classification_report(examination.true, examination.predicted, examination.classifier.labels)
    yield from (report.rstrip(), "```", "")
    yield (
        "Precision: how many of the faces that get the label have it. Recall: how many of the faces that have the"
        " label get it. F1: harmonic mean of the two. Support: number of faces that have the label."
    )
    yield from _picture(
        "confusion", "Each row is a true label; its shares add up to 100%. The diagonal holds the correct labels."
    )
    if "precision_recall" in drawn:
        yield from _picture(
            "precision_recall",
            "A curve for each label against the others, over all thresholds of its probability; closer to the upper"
            " right corner is better. AP, the average precision, is the area below the curve. The dot marks the"
            " predicted labels.",
        )


def _confidence(calibration: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "## Confidence", "")
    yield (
        f"The temperature that fits these faces best is {calibration['best_temperature']:.2f}. At 1, the confidence is"
        " right; above 1, it is too high; below 1, too low."
    )
    yield from _picture(
        "reliability",
        "Below the line, the confidence is higher than the accuracy; above the line, it is lower. The lower panel shows"
        " how many faces have each confidence. The expected calibration error is the mean distance from the line,"
        " weighted by faces.",
    )


def _slices(slices: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Iterator[str]:
    yield from ("", "## Slices")
    yield from _picture("slices", "A wide interval means few faces. The line is the accuracy on all faces.")
    yield from (
        "",
        f"A calibration error is shown for {ENOUGH_FACES} faces or more; for fewer, it is mostly chance.",
    )
    for kind, members in groupby(slices, key=lambda part: part["kind"]):
        yield from ("", f"### By {kind}", "")
        if kind in _KINDS:
            yield from (_KINDS[kind], "")
        yield table(
            (kind, "faces", "accuracy", *(f"recall {label} (faces)" for label in labels), "calibration error"),
            [
                (
                    part["name"],
                    str(part["faces"]),
                    _with_interval(part["accuracy"], part["accuracy_interval"]),
                    *(_recall(part["labels"][label]) for label in labels),
                    _share(part["expected_calibration_error"]) if part["faces"] >= ENOUGH_FACES else "",
                )
                for part in members
            ],
        )


def _mistakes(mistakes: int, faces: int) -> Iterator[str]:
    yield from ("", "## Mistakes", "")
    if not mistakes:
        yield "None."
        return
    yield f"{mistakes} of {faces} faces got a wrong label; `{FIGURES}` lists them all."
    yield from _picture(
        "mistakes",
        f"The {min(mistakes, WORST)} mistakes of highest confidence, cut as the classifier sees them: true label,"
        " predicted label, confidence, shorter side of the box, file. Wrong labels in the data are here too.",
    )


def _skipped(skipped: Sequence[str]) -> Iterator[str]:
    if not skipped:
        return
    yield from ("", "## Skipped", "")
    yield from (f"- `{line}`" for line in skipped[:SHOWN_SKIPPED])
    if len(skipped) > SHOWN_SKIPPED:
        yield f"- and {len(skipped) - SHOWN_SKIPPED} more, in `{FIGURES}`"


_KINDS = {
    "face size": "Shorter side of the box; the first number belongs to a class, the second does not. If the label was"
    " given to a whole picture, the box is the picture.",
    "blur": f"Variance of the Laplacian of the luma of the box, shrunk to {BLUR_SIZE} x {BLUR_SIZE} px: blurred below"
    f" {BLUR['soft']:.0f}, sharp from {BLUR['sharp']:.0f}. Low contrast counts as blur. The blur of smaller faces is"
    " unknown: enlarging them would blur them.",
    "brightness": f"Mean luma of the box: dark below {BRIGHTNESS['medium']:.0f}, bright from {BRIGHTNESS['bright']:.0f}"
    " of 255.",
    "mask colour": f"Of `{MASKED}` faces: median colour of the lower middle of the box. Unclear: below {LARGE_FROM} px,"
    " or several colours. An estimate: if the label was given to a whole picture, it may be the colour of the clothes.",
}


def _recall(label: Mapping[str, Any]) -> str:
    if not label["support"]:
        return ""
    return f"{_with_interval(label['recall'], label['recall_interval'])} ({label['support']})"


def _picture(name: str, how_to_read: str) -> Iterator[str]:
    yield from ("", f"![{name.replace('_', ' ')}]({PLOTS}/{name}.png)", "", how_to_read)


def _with_interval(share: float, interval: tuple[float, float]) -> str:
    return f"{share:.1%} [{interval[0]:.1%}, {interval[1]:.1%}]"


def _share(share: float) -> str:
    return f"{share:.1%}"
