"""The report of an accuracy run: JSON for programs, Markdown and plots for people."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maskcheck.evaluation.coco import AnnotatedPicture
from maskcheck.evaluation.face_sizes import ALL, LARGE
from maskcheck.evaluation.scoring import Score
from maskcheck_bench.accuracy.accuracy_plots import plot_against_speed, plot_against_time, plot_precision_recall
from maskcheck_bench.accuracy.compared_pipelines import RANKED_FROM
from maskcheck_bench.accuracy.measurement import (
    OperatingPoint,
    PipelineRun,
    match,
    operating_point,
    score_detector,
    score_labels,
)
from maskcheck_bench.measuring.machine import describe_machine
from maskcheck_bench.reporting.markdown import table

SCHEMA = "maskcheck-accuracy/2"
INCORRECT = "mask_worn_incorrectly"
JSON, MARKDOWN = "accuracy.json", "accuracy.md"
CURVES, TIMES, SPEEDS = "precision-recall.png", "ap-against-time.png", "map-against-speed.png"


def describe_runs(
    runs: Sequence[PipelineRun], pictures: Sequence[AnnotatedPicture], *, data: str, skipped: Sequence[str]
) -> dict[str, Any]:
    """All measurements as JSON-ready values; figures without faces to measure them on are None.

    Args:
        runs: Results of each pipeline on the same pictures.
        pictures: The annotated pictures.
        data: Where the pictures come from, for people.
        skipped: Parts of the data that could not be used.
    """
    faces = Counter(label for picture in pictures for label in picture.labels)
    return {
        "schema": SCHEMA,
        "machine": describe_machine(),
        "data": {
            "source": data,
            "pictures": len(pictures),
            "faces": dict(sorted(faces.items())),
            "skipped": list(skipped),
        },
        "candidates": [_describe(run, pictures) for run in runs],
    }


def _describe(run: PipelineRun, pictures: Sequence[AnnotatedPicture]) -> dict[str, Any]:
    annotated = {label for picture in pictures for label in picture.labels}
    known = [label for label in run.pipeline.labels if label in annotated]
    sets = [known] + ([[label for label in known if label != INCORRECT]] if INCORRECT in known else [])
    matches, detector = match(run, pictures), score_detector(run, pictures)
    return {
        "name": run.pipeline.name,
        "receipt": dict(run.pipeline.receipt),
        "detector": _scores(detector),
        "pipeline": [_describe_labels(score_labels(run, pictures, labels)) for labels in sets if labels],
        "shown": _shown(operating_point(matches, run.pipeline.min_score)),
        "best": _shown(operating_point(matches, detector[ALL].best_min_score)),
        "detect_ms": _times([timings.detect for timings in run.timings]),
        "total_ms": _times([timings.total for timings in run.timings]),
        "failed": [f"{result.source}: {result.error}" for result in run.results if result.error is not None],
    }


def _shown(point: OperatingPoint) -> dict[str, float | None]:
    return {
        "min_score": _figure(point.min_score),
        "precision": _figure(point.precision),
        "recall": _figure(point.recall),
        "label_accuracy": _figure(point.labelled),
    }


def _describe_labels(scores: dict[str, dict[str, Score]]) -> dict[str, Any]:
    sizes = next(iter(scores.values()))
    means = {}
    for size in sizes:
        values = [by_size[size].ap50 for by_size in scores.values() if by_size[size].faces]
        means[size] = _figure(float(np.mean(values)) if values else math.nan)
    return {"labels": {label: _scores(by_size) for label, by_size in scores.items()}, "map50": means}


def _scores(scores: dict[str, Score]) -> dict[str, Any]:
    return {
        size: {
            "faces": score.faces,
            "ap50": _figure(score.ap50),
            "recall": _figure(score.recall),
            "precision": [_figure(value) for value in score.precision.tolist()] if size == ALL else None,
        }
        for size, score in scores.items()
    }


def _times(milliseconds: Sequence[float]) -> dict[str, float | None]:
    times = np.array(milliseconds)
    return {
        "mean": _figure(float(times.mean()) if len(times) else math.nan),
        "median": _figure(float(np.median(times)) if len(times) else math.nan),
    }


def _figure(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 5)


def write_report(report: dict[str, Any], folder: Path) -> None:
    """Write ``accuracy.json``, ``accuracy.md`` and the plots that it shows into a folder, made if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    plot_precision_recall(report, folder / CURVES)
    plot_against_time(report, folder / TIMES)
    plot_against_speed(report, folder / SPEEDS)
    (folder / MARKDOWN).write_text("\n".join(_markdown(report)) + "\n", encoding="utf-8")


def _markdown(report: dict[str, Any]) -> list[str]:
    data, machine = report["data"], report["machine"]
    faces = ", ".join(f"{count} {label}" for label, count in data["faces"].items())
    first = report["candidates"][0]
    fastest = min((candidate["detect_ms"]["median"] or math.inf) for candidate in report["candidates"])
    lines = [
        "# Accuracy",
        "",
        f"{data['pictures']} pictures of {data['source']}, {sum(data['faces'].values())} faces ({faces}).",
        "A box fits a face if they overlap by half (intersection over union). Average precision (AP50) follows COCO's",
        f"rules; the size of a face is its shorter side. Classifier {first['receipt']['model']}; {machine['cpu']},",
        f"{machine['usable_cpus']} CPUs, detectors in turns on each picture. Faces are ranked from a detection score",
        f"of {RANKED_FROM:g} on.",
        "",
        "## Detectors",
        "",
        *table(
            ["detector", "AP50", f"AP50 {LARGE}", "recall", f"recall {LARGE}", "ms a picture", "x fastest"],
            [
                [
                    candidate["name"],
                    _text(candidate["detector"][ALL]["ap50"]),
                    _text(candidate["detector"][LARGE]["ap50"]),
                    _text(candidate["detector"][ALL]["recall"]),
                    _text(candidate["detector"][LARGE]["recall"]),
                    *_detector_times(candidate["detect_ms"]["median"], fastest),
                ]
                for candidate in report["candidates"]
            ],
        ),
        "",
        f"![Precision against recall of each detector]({CURVES})",
        "",
        f"![AP50 of each detector against its time]({TIMES})",
        "",
        "Recall by size of face:",
        "",
        *_recalls(report),
        "",
        "## Whole pipeline",
        "",
        "Each detected face is ranked under each label by its detection score times the label's probability. Pictures",
        "per second: from file to result, one after the other, with the detector's own minimum score.",
        "",
        *_pipelines(report),
        "",
        f"![mAP50 of each pipeline against its speed]({SPEEDS})",
        "",
        "## As shown to a user",
        "",
        "With each detector's own minimum score, and with the best one, at which the harmonic mean of precision and",
        "recall (F1) is highest.",
        "",
        *table(
            ["detector", "minimum score", "precision", "recall", "labels right", "best score", "precision", "recall"],
            [
                [candidate["name"]]
                + [_text(candidate["shown"][name]) for name in ("min_score", "precision", "recall", "label_accuracy")]
                + [_text(candidate["best"][name]) for name in ("min_score", "precision", "recall")]
                for candidate in report["candidates"]
            ],
        ),
    ]
    failed = [f"{candidate['name']}: {line}" for candidate in report["candidates"] for line in candidate["failed"]]
    for title, notes in (("Failed", failed), ("Skipped", data["skipped"])):
        lines += ["", f"## {title}", "", *(f"- {note}" for note in notes)] if notes else []
    return lines


def _detector_times(median: float | None, fastest: float) -> tuple[str, str]:
    return ("-", "-") if median is None else (f"{median:.1f}", f"{median / fastest:.2f}")


def _recalls(report: dict[str, Any]) -> list[str]:
    sizes = [size for size in report["candidates"][0]["detector"] if size != ALL]
    faces = {size: report["candidates"][0]["detector"][size]["faces"] for size in sizes}
    return table(
        ["detector", *(f"{size} ({faces[size]})" for size in sizes)],
        [
            [candidate["name"], *(_text(candidate["detector"][size]["recall"]) for size in sizes)]
            for candidate in report["candidates"]
        ],
    )


def _pipelines(report: dict[str, Any]) -> list[str]:
    rows = [
        [
            candidate["name"],
            ", ".join(f"{label} {_text(scores[ALL]['ap50'])}" for label, scores in figures["labels"].items()),
            _text(figures["map50"][ALL]),
            _text(figures["map50"][LARGE]),
            "-" if candidate["total_ms"]["mean"] is None else f"{1000 / candidate['total_ms']['mean']:.1f}",
        ]
        for candidate in report["candidates"]
        for figures in candidate["pipeline"]
    ]
    return table(["detector", "AP50 of each label", "mAP50", f"mAP50 {LARGE}", "pictures/s"], rows)


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
