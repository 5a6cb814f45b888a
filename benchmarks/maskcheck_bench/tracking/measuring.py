"""Identity switches, MOT metrics and time a frame, over seeds; and how often the label of a steady face changes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from importlib import import_module
from statistics import mean, median
from time import perf_counter
from typing import Any

import numpy as np

from maskcheck.tracking import TrackingSettings, TrackLabels
from maskcheck_bench.tracking.followers import Follow, followers
from maskcheck_bench.tracking.scenes import SCENES, Scene


def measure_tracking(seeds: Sequence[int]) -> dict[str, Any]:
    """Every tracker on every scene and seed: sums of switches, means of IDF1, MOTA and HOTA, ms a frame (median).

    The mean number of switches a seed has an interval of 95 %, by bootstrap over the seeds.
    """
    makers, missing = followers()
    rows = []
    for scene_name, make_scene in SCENES.items():
        scenes = [make_scene(np.random.default_rng([zlib.crc32(scene_name.encode()), seed])) for seed in seeds]
        for name, make in makers.items():
            runs = [_run(make(1 / (scene[1].time - scene[0].time)), scene) for scene in scenes]
            measured = ("IDF1", "MOTA", "HOTA") if "IDF1" in runs[0] else ()
            rows.append(
                {
                    "scene": scene_name,
                    "tracker": name,
                    "switches": sum(run["switches"] for run in runs),
                    "switches_a_seed_interval": _interval([run["switches"] for run in runs]),
                    "seeds_with_switches": sum(run["switches"] > 0 for run in runs),
                    **{metric: mean(run[metric] for run in runs) for metric in measured},
                    "ms_a_frame": median(run["ms_a_frame"] for run in runs),
                }
            )
    labels = {f"{rate} frames/s": _label_changes(rate, seeds) for rate in (5, 30)}
    return {"seeds": list(seeds), "rows": rows, "label_changes_a_minute": labels, "missing_packages": missing}


def _interval(values: Sequence[float]) -> list[float]:
    """Of 95 %, of the mean."""
    means = np.random.default_rng(0).choice(values, (10_000, len(values))).mean(axis=1)
    return [float(edge) for edge in np.percentile(means, (2.5, 97.5))]


def _run(follow: Follow, scene: Scene) -> dict[str, float]:
    true_ids, given_ids, similarities = [], [], []
    spent = 0.0
    last: dict[int, int] = {}
    switches = 0
    for frame in scene:
        start = perf_counter()
        numbers = follow(frame)
        spent += perf_counter() - start
        kept = numbers >= 0
        overlap = _overlaps(frame.true_boxes, frame.boxes[kept])
        true_ids.append(frame.true_ids)
        given_ids.append(numbers[kept])
        similarities.append(overlap)
    result = {"ms_a_frame": 1000 * spent / len(scene)}
    try:
        metrics = import_module("trackers.eval")
    except ImportError:
        for truth, given, overlap in zip(true_ids, given_ids, similarities, strict=True):
            switches += _switches(truth, given, overlap, last)
        return {**result, "switches": switches}
    sequence = true_ids, given_ids, similarities
    clear = metrics.compute_clear_metrics(*sequence)
    result |= {"switches": clear["IDSW"], "MOTA": clear["MOTA"]}
    return {
        **result,
        "IDF1": metrics.compute_identity_metrics(*sequence)["IDF1"],
        "HOTA": metrics.compute_hota_metrics(*sequence)["HOTA"],
    }


def _switches(truth: Any, given: Any, overlap: Any, last: dict[int, int]) -> int:
    """How many true faces have another number than they had last."""
    from scipy.optimize import linear_sum_assignment

    known = np.array([[last.get(int(face)) == number for number in given] for face in truth]).reshape(overlap.shape)
    score = np.where(overlap >= 0.5, overlap + 1000 * known, 0.0)  # as CLEAR does: who was paired, stays
    switches = 0
    for row, column in zip(*linear_sum_assignment(-score), strict=True):
        if score[row, column] > 0:
            face, number = int(truth[row]), int(given[column])
            switches += last.get(face, number) != number
            last[face] = number
    return switches


def _overlaps(a: Any, b: Any) -> Any:
    """Intersection over union of each pair of boxes."""
    corner = np.maximum(a[:, None, :2], b[None, :, :2])
    shared = np.clip(np.minimum(a[:, None, 2:], b[None, :, 2:]) - corner, 0, None).prod(axis=2)
    areas = (a[:, 2:] - a[:, :2]).prod(axis=1)[:, None] + (b[:, 2:] - b[:, :2]).prod(axis=1)[None]
    return shared / (areas - shared)


def _label_changes(rate: int, seeds: Sequence[int]) -> dict[str, float]:
    """Of a steady face for a minute, whose logit has a mean of 1.5 and a standard deviation of 1.5."""
    frame_wise, tracked = 0, 0
    for seed in seeds:
        random = np.random.default_rng([rate, seed])
        masks = 1 / (1 + np.exp(-random.normal(1.5, 1.5, 60 * rate)))
        frame_wise += int(np.count_nonzero(np.diff(masks >= 0.5)))
        labels = TrackLabels(TrackingSettings(), _two(masks[0]), 0.0)
        label = labels.label
        for index, value in enumerate(masks[1:], 1):
            labels.add(_two(value), index / rate)
            tracked += labels.label != label
            label = labels.label
    return {"frame_wise": frame_wise / len(seeds), "tracked": tracked / len(seeds)}


def _two(mask: float) -> dict[str, float]:
    return {"with_mask": float(mask), "without_mask": 1 - float(mask)}
