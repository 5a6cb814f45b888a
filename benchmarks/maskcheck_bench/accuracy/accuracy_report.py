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
from maskcheck.evaluation.face_sizes import ALL, LARGE, SIZES
from maskcheck.evaluation.scoring import Score
from maskcheck_bench.accuracy.accuracy_plots import plot_against_speed, plot_against_time, plot_detector_curves
from maskcheck_bench.accuracy.compared_pipelines import RANKED_FROM
from maskcheck_bench.accuracy.pipeline_runs import (
    OperatingPoint,
    PipelineRun,
    match,
    operating_point,
    score_detector,
    score_labels,
)
from maskcheck_bench.measuring.machine import describe_machine
from maskcheck_bench.reporting.rendering import render

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


def write_accuracy_report(report: dict[str, Any], folder: Path) -> None:
    """Write ``accuracy.json``, ``accuracy.md`` and the plots that it shows into a folder, made if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    plot_detector_curves(report, folder / CURVES)
    plot_against_time(report, folder / TIMES)
    plot_against_speed(report, folder / SPEEDS)
    candidates = report["candidates"]
    text = render(
        "accuracy.md.j2",
        **report,
        all=ALL,
        large=LARGE,
        sizes=[size for size in SIZES if size != ALL],
        ranked_from=RANKED_FROM,
        fastest=min(candidate["detect_ms"]["median"] or math.inf for candidate in candidates),
        failed=[f"{candidate['name']}: {failure}" for candidate in candidates for failure in candidate["failed"]],
        plots={"curves": CURVES, "times": TIMES, "speeds": SPEEDS},
    )
    (folder / MARKDOWN).write_text(text, encoding="utf-8")
