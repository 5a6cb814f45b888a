"""The report of an accuracy run: JSON for programs, Markdown and plots for people."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from maskcheck.evaluation.bootstrap import CONFIDENCE, Estimate, draw_pictures
from maskcheck.evaluation.coco import AnnotatedPicture
from maskcheck.evaluation.face_sizes import ALL, MAIN, SIZES
from maskcheck.evaluation.shares import wilson_interval
from maskcheck_bench.accuracy.accuracy_plots import plot_against_speed, plot_against_time, plot_detector_curves
from maskcheck_bench.accuracy.compared_pipelines import RANKED_FROM
from maskcheck_bench.accuracy.measures import Measured, Measures, map50, measure
from maskcheck_bench.accuracy.mistakes import KINDS, find_mistakes
from maskcheck_bench.accuracy.pipeline_runs import OperatingPoint, PipelineRun, match, operating_point
from maskcheck_bench.measuring.machine import describe_machine
from maskcheck_bench.reporting.rendering import render

SCHEMA = "maskcheck-accuracy/2"
JSON, MARKDOWN = "accuracy.json", "accuracy.md"
CURVES, TIMES, SPEEDS = "precision-recall.png", "ap-against-time.png", "map-against-speed.png"


def describe_runs(
    runs: Sequence[PipelineRun],
    pictures: Sequence[AnnotatedPicture],
    *,
    labels: Collection[str],
    data: str,
    skipped: Sequence[str],
) -> dict[str, Any]:
    """All measurements as JSON-ready values; figures without faces to measure them on are None.

    Args:
        runs: Results of each pipeline on the same pictures.
        pictures: The annotated pictures.
        labels: Labels of the annotated faces that count; those of others count neither way.
        data: Where the pictures come from, for people.
        skipped: Parts of the data that could not be used.
    """
    counts = Counter(label for picture in pictures for label in compress(picture.labels, ~picture.ignored))
    drawn = draw_pictures(len(pictures))
    measured = [measure(run, pictures, labels, drawn) for run in runs]
    return {
        "schema": SCHEMA,
        "machine": describe_machine(),
        "data": {
            "source": data,
            "pictures": len(pictures),
            "faces": {label: count for label, count in sorted(counts.items()) if label in labels},
            "uncounted_faces": {label: count for label, count in sorted(counts.items()) if label not in labels},
            "ignored_regions": sum(int(picture.ignored.sum()) for picture in pictures),
            "skipped": list(skipped),
        },
        "bootstrap": {"resamples": len(drawn) - 1, "confidence": CONFIDENCE},
        "candidates": [
            _describe(run, pictures, labels, measures, measured[0])
            for run, measures in zip(runs, measured, strict=True)
        ],
    }


def _describe(
    run: PipelineRun,
    pictures: Sequence[AnnotatedPicture],
    labels: Collection[str],
    measures: Measures,
    first: Measures,
) -> dict[str, Any]:
    matches = {size: match(run, pictures, labels, *SIZES[size]) for size in MAIN}
    points = {size: operating_point(matches[size], run.pipeline.min_score) for size in MAIN}
    kinds = Counter(mistake.kind for mistake in find_mistakes(run, pictures, labels))
    best_min_score = measures.detector.scores[ALL].best_min_score
    return {
        "name": run.pipeline.name,
        "receipt": dict(run.pipeline.receipt),
        "detector": _scores(measures.detector),
        "pipeline": [_describe_labels(by_label) for by_label in measures.pipeline],
        "end_to_end": {size: _end_to_end(point) for size, point in points.items()},
        "shown": _shown(points[ALL]),
        "best": _shown(operating_point(matches[ALL], best_min_score)),
        "mistakes": {kind: kinds[kind] for kind in KINDS},
        "against_first": None if measures is first else _against(measures, first),
        "detect_ms": _times([timings.detect for timings in run.timings]),
        "total_ms": _times([timings.total for timings in run.timings]),
        "failed": [f"{result.source}: {result.error}" for result in run.results if result.error is not None],
    }


def _shown(point: OperatingPoint) -> dict[str, Any]:
    return {
        "min_score": _figure(point.min_score),
        **_share("precision", point.right, point.shown),
        **_share("recall", point.right, point.faces),
        **_share("label_accuracy", point.labelled, point.known),
    }


def _end_to_end(point: OperatingPoint) -> dict[str, Any]:
    return {
        "faces": point.faces,
        **_share("found", point.right, point.faces),
        **_share("labelled_rightly", point.labelled, point.faces),
    }


def _share(name: str, right: int, of: int) -> dict[str, Any]:
    return {
        name: _figure(right / of if of else math.nan),
        f"{name}_interval": _rounded(wilson_interval(right, of)),
    }


def _describe_labels(by_label: Mapping[str, Measured]) -> dict[str, Any]:
    means = {}
    for size in SIZES:
        values = [measured.scores[size].ap50 for measured in by_label.values() if measured.scores[size].faces]
        means[size] = _figure(float(np.mean(values)) if values else math.nan)
    return {
        "labels": {label: _scores(measured) for label, measured in by_label.items()},
        "map50": means,
        "map50_interval": {size: _rounded(map50(by_label, size).interval) for size in MAIN},
    }


def _scores(measured: Measured) -> dict[str, Any]:
    return {
        size: {
            "faces": score.faces,
            "ap50": _figure(score.ap50),
            "ap50_interval": _rounded(measured.ap50[size].interval) if size in MAIN else None,
            "recall": _figure(score.recall),
            "recall_interval": _rounded(measured.recall[size].interval) if size in MAIN else None,
            "precision": [_figure(value) for value in score.precision.tolist()] if size == ALL else None,
        }
        for size, score in measured.scores.items()
    }


def _against(measures: Measures, first: Measures) -> dict[str, Any]:
    """Differences to the first candidate on the same pictures, by a paired bootstrap."""
    return {
        "ap50": {size: _difference(measures.detector.ap50[size], first.detector.ap50[size]) for size in MAIN},
        "map50": [
            {"labels": list(mine), **{size: _difference(map50(mine, size), map50(theirs, size)) for size in MAIN}}
            for mine, theirs in zip(measures.pipeline, first.pipeline, strict=False)
            if set(mine) == set(theirs)
        ],
    }


def _difference(one: Estimate, other: Estimate) -> dict[str, Any]:
    difference = one - other
    return {"difference": _figure(difference.value), "interval": _rounded(difference.interval)}


def _times(milliseconds: Sequence[float]) -> dict[str, float | None]:
    times = np.array(milliseconds)
    return {
        "mean": _figure(float(times.mean()) if len(times) else math.nan),
        "median": _figure(float(np.median(times)) if len(times) else math.nan),
    }


def _figure(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 5)


def _rounded(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else [round(bound, 5) for bound in interval]


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
        main=MAIN,
        kinds=KINDS,
        sizes=[size for size in SIZES if size != ALL],
        ranked_from=RANKED_FROM,
        fastest=min(candidate["detect_ms"]["median"] or math.inf for candidate in candidates),
        failed=[f"{candidate['name']}: {failure}" for candidate in candidates for failure in candidate["failed"]],
        plots={"curves": CURVES, "times": TIMES, "speeds": SPEEDS},
    )
    (folder / MARKDOWN).write_text(text, encoding="utf-8")
