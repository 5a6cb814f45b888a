"""The report of an evaluation: a Markdown page with its plots, and the same figures as JSON."""

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
from maskcheck_export.evaluation.contact_sheet import Entry, draw_contact_sheet
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
"""Most lines about skipped faces on the page; the JSON has all."""

TELLING_FACES = 100
"""With fewer faces, a calibration error is mostly chance, and a table leaves it out."""


def write_report(examination: Examination, folder: Path, *, data: Sequence[Path], command: str) -> Path:
    """Write ``report.md``, ``report.json`` and ``plots/*.png``; what an earlier report left there is replaced.

    If the classifier's file lies in the folder of its training, the training curves are in it.

    Args:
        examination: What the classifier said.
        folder: Where to write; made if missing.
        data: The folders that the faces come from.
        command: How the evaluation is repeated.

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
    """All figures of an examination, JSON-ready: model, overall, calibration, slices and mistakes."""
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
    """Write the plots; the result is the names of those that there is something to plot for."""
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
    worst = [
        Entry(
            examination.samples[i],
            (
                f"is {examination.samples[i].label}",
                f"called {classifier.labels[examination.predicted[i]]}",
                f"{examination.confidence[i]:.1%} sure, {examination.samples[i].shorter_side:.0f} px",
            ),
        )
        for i in examination.mistakes[:WORST]
    ]
    if worst:
        draw_contact_sheet(worst, margin=classifier.margin).save(plots / "mistakes.png")
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
            "Training faces are augmented, and their loss counts label smoothing and label weights if the recipe asks"
            " for them: that it lies above validation's means nothing by itself.",
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
        "In brackets: 95% confidence interval (Wilson). It takes faces as independent; faces of one picture, and"
        " near-duplicates, are not quite, so the truth is a little less certain. Faces that the model was trained on"
        " flatter it: the table says what it learned from."
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
        "Precision: share of the faces called so that are so. Recall: share of the faces that are so that are called"
        " so. F1: their harmonic mean. Support: number of faces."
    )
    yield from _picture("confusion", "Each row is a true label; its shares add up to 100%. The diagonal is right.")
    if "precision_recall" in drawn:
        yield from _picture(
            "precision_recall",
            "A curve for each label, one against the rest, over all thresholds on its probability; up and right is"
            " better. AP, the average precision, is the area below it. The dot is the classifier as it decides.",
        )


def _confidence(calibration: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "## Confidence", "")
    yield (
        f"The temperature that fits these faces best is {calibration['best_temperature']:.2f}: at 1, confidences mean"
        " what they say; above 1, the classifier is too sure; below 1, too modest."
    )
    yield from _picture(
        "reliability",
        "A dot below the line: the classifier was surer than it was right; above: it was right more often than it said."
        " Below, how many faces have that confidence. The expected calibration error is the mean distance from the"
        " line, weighted by faces.",
    )


def _slices(slices: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Iterator[str]:
    yield from ("", "## Slices")
    yield from _picture("slices", "A wide interval means few faces. The line is the accuracy on all faces.")
    yield from (
        "",
        f"A calibration error is told of {TELLING_FACES} faces or more: of fewer, it is mostly chance.",
    )
    for kind, members in groupby(slices, key=lambda one: one["kind"]):
        yield from ("", f"### By {kind}", "")
        if kind in _KINDS:
            yield from (_KINDS[kind], "")
        yield table(
            (kind, "faces", "accuracy", *(f"recall {label} (faces)" for label in labels), "calibration error"),
            [
                (
                    one["name"],
                    str(one["faces"]),
                    _with_interval(one["accuracy"], one["accuracy_interval"]),
                    *(_recall(one["labels"][label]) for label in labels),
                    _share(one["expected_calibration_error"]) if one["faces"] >= TELLING_FACES else "",
                )
                for one in members
            ],
        )


def _mistakes(mistakes: int, faces: int) -> Iterator[str]:
    yield from ("", "## Mistakes", "")
    if not mistakes:
        yield "None."
        return
    yield f"{mistakes} of {faces} faces got another label than theirs; `{FIGURES}` lists them all."
    yield from _picture(
        "mistakes",
        f"The {min(mistakes, WORST)} most confident, cut as the classifier sees them: true label, predicted label and"
        " its probability, the box's shorter side, the file. A wrong label in the data shows here too.",
    )


def _skipped(skipped: Sequence[str]) -> Iterator[str]:
    if not skipped:
        return
    yield from ("", "## Skipped", "")
    yield from (f"- `{line}`" for line in skipped[:SHOWN_SKIPPED])
    if len(skipped) > SHOWN_SKIPPED:
        yield f"- and {len(skipped) - SHOWN_SKIPPED} more, in `{FIGURES}`"


_KINDS = {
    "face size": "Shorter side of the box, from the first number up to below the second. Where a label was given to a"
    " whole picture, the picture is the box.",
    "blur": f"Variance of the Laplacian of the box's luma, reduced to {BLUR_SIZE} x {BLUR_SIZE} px: blurred below"
    f" {BLUR['soft']:.0f}, sharp from {BLUR['sharp']:.0f}. Low contrast counts as blur. Smaller faces are not told:"
    " enlarging them would blur them.",
    "brightness": f"Mean luma of the box: dark below {BRIGHTNESS['medium']:.0f}, bright from {BRIGHTNESS['bright']:.0f}"
    " of 255.",
    "mask colour": f"Of `{MASKED}` faces: median colour of the lower middle of the box. Unclear: below {LARGE_FROM} px,"
    " or no one colour. A guess; where a label was given to a whole picture, it may be the clothes'.",
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
