"""A race of one peer: the classifier run by a library, timed at each batch size, and whether it says the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from maskcheck import MaskPipeline
from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.pictures.crops import Crops
from maskcheck.pictures.decoding import load_image
from maskcheck_bench.measuring.noise_crops import draw_noise
from maskcheck_bench.measuring.outcome import Effort, Outcome
from maskcheck_bench.measuring.timing import measure

BATCHES = (1, 8, 16)

OWN = "the model's own"
OWN_FLOAT32 = "the model's own, in float32"

_LOOKED_AT = 8  # pictures whose faces are classified to compare labels

Probabilities: TypeAlias = NDArray[np.float32]
Classify: TypeAlias = Callable[[Crops], Probabilities]
"""Face crops, uint8 (N, S, S, 3) RGB, to probabilities, float32 (N, C)."""


class CannotRun(Exception):
    """This machine or this model is none for the peer; the message says why, and what to install if that helps."""


@dataclass(frozen=True)
class Peer:
    """A library with the classifier loaded.

    Attributes:
        prepare: Makes what classifies just that many crops together.
        library: Name and version.
        precision: Arithmetic of the weights.
        weights: Where they come from, in words.
        comparable: Its labels should be the model's.
    """

    prepare: Callable[[int], Classify]
    library: str
    precision: str
    weights: str = OWN
    comparable: bool = True


Load: TypeAlias = Callable[[MaskClassifier], Peer]
"""Loads a classifier's model into a library, with the classifier's number of threads."""


def race(
    name: str,
    load: Load,
    packages: Mapping[str, str],
    pipeline: MaskPipeline,
    pictures: Sequence[str],
    effort: Effort,
) -> Outcome:
    """Time a peer on noise, which costs as much as faces do; the facts tell what ran, and how its labels differ.

    Labels are compared on that noise, in the largest batch, and on faces of the pictures, one by one.

    Args:
        name: Of the peer.
        load: Loads the model; the library may be imported only there.
        packages: What the library needs: names to import, and what to install for each.
        pipeline: Its classifier is the model and the reference.
        pictures: Files.
        effort: How long to measure.

    Raises:
        Exception: What the library raised.
    """
    absent = missing(packages)
    if absent:
        return Outcome(skipped=absent)
    crops = draw_noise(pipeline.classifier, max(BATCHES))
    try:
        peer = load(pipeline.classifier)
    except CannotRun as error:
        return Outcome(skipped=str(error))
    prepared = {batch: peer.prepare(batch) for batch in BATCHES}
    timings = tuple(
        measure(
            name,
            partial(classify, crops[:batch]),
            items=batch,
            **effort.of_a_timing,
            group=f"peers, batch {batch}",
        )
        for batch, classify in prepared.items()
    )
    facts: dict[str, Any] = {
        "library": peer.library,
        "threads": pipeline.classifier.threads,
        "precision": peer.precision,
        "weights": peer.weights,
    }
    if peer.comparable:
        faces = _faces(pipeline, pictures)
        given = [prepared[len(crops)](crops), *(prepared[1](face[None]) for face in faces)]
        facts["agreement"] = agreement(
            np.concatenate(given), pipeline.classifier(np.concatenate([crops, faces])), pipeline.classifier.labels
        )
    return Outcome(timings, facts)


def missing(packages: Mapping[str, str]) -> str:
    """What is not installed and how to install it, in words; empty if all is there."""
    absent = [package for module, package in packages.items() if find_spec(module) is None]
    are = "is" if len(absent) == 1 else "are"
    return f"{' and '.join(absent)} {are} not installed: pip install {' '.join(absent)}" if absent else ""


def agreement(given: Probabilities, expected: Probabilities, labels: Sequence[str]) -> dict[str, Any]:
    """How far probabilities are from the pipeline's, as JSON-ready values.

    Raises:
        ValueError: They are of other labels.
    """
    if given.shape != expected.shape:
        raise ValueError(
            f"expected probabilities of {', '.join(labels)} for {len(expected)} crops, got shape {given.shape}"
        )
    return {
        "labels_changed": int((given.argmax(axis=1) != expected.argmax(axis=1)).sum()),
        "of": len(expected),
        "largest_difference": round(float(np.abs(given - expected).max()), 6),
    }


def _faces(pipeline: MaskPipeline, pictures: Sequence[str]) -> Crops:
    looked_at = list(pictures)[:_LOOKED_AT]
    crops = [draw_noise(pipeline.classifier, 0)]
    for picture, result in zip(looked_at, pipeline.stream(looked_at), strict=True):
        if len(result):
            boxes = np.array([face.box for face in result], np.float64)
            crops.append(pipeline.classifier.crop(load_image(picture, limits=pipeline.limits).pixels, boxes))
    return np.concatenate(crops)
