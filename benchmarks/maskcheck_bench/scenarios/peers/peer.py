"""A peer of the classifier: a library that runs the same model, its time at each batch size, and its labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from maskcheck import MaskPipeline
from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.pictures.crops import Crops
from maskcheck.pictures.decoding import load_image
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.mask_classifier import mask_classifier
from maskcheck_bench.measuring.noise_crops import draw_noise
from maskcheck_bench.measuring.outcome import Outcome, describe_missing
from maskcheck_bench.measuring.timing import measure

BATCHES = (1, 8, 16)

OWN = "the model's own"
OWN_FLOAT32 = "the model's own, in float32"

_COMPARED = 8  # pictures whose faces are classified to compare labels

Probabilities: TypeAlias = NDArray[np.float32]
Classify: TypeAlias = Callable[[Crops], Probabilities]
"""Face crops, uint8 (N, S, S, 3) RGB, to probabilities, float32 (N, C)."""


class CannotRun(Exception):
    """The peer does not run on this machine or with this model; the message says why, and how to mend it."""


@dataclass(frozen=True)
class Peer:
    """A library that has loaded the classifier.

    Attributes:
        prepare: Takes a batch size and returns the function that classifies exactly so many crops.
        library: Name and version.
        precision: Arithmetic of the weights.
        weights: Where the weights come from, for people.
        comparable: Whether its labels should be the model's.
    """

    prepare: Callable[[int], Classify]
    library: str
    precision: str
    weights: str = OWN
    comparable: bool = True


LoadPeer: TypeAlias = Callable[[MaskClassifier], Peer]
"""Loads a classifier's model into a library, with the classifier's number of threads.

Importing a peer's module imports none of the libraries: they are imported when a peer is loaded.
"""


def time_peer(
    name: str,
    load: LoadPeer,
    packages: Mapping[str, str],
    pipeline: MaskPipeline,
    pictures: Sequence[str],
    effort: Effort,
) -> Outcome:
    """Time a peer on noise, which takes as long as faces do; the facts are what ran, and how its labels differ.

    Labels are compared on the noise, in the largest batch, and on faces of the pictures, face by face.

    Args:
        name: The name of the peer.
        load: Loads the model.
        packages: Names of the modules that the library needs, and what to install for each.
        pipeline: Its classifier is the model and the reference.
        pictures: Files.
        effort: How long to measure.

    Raises:
        Exception: What the library raised.
    """
    missing = describe_missing(packages)
    if missing:
        return Outcome(skipped=missing)
    crops = draw_noise(mask_classifier(pipeline), max(BATCHES))
    try:
        peer = load(mask_classifier(pipeline))
    except CannotRun as error:
        return Outcome(skipped=str(error))
    prepared = {batch: peer.prepare(batch) for batch in BATCHES}
    timings = tuple(
        measure(name, partial(classify, crops[:batch]), effort, items=batch, group=f"peers, batch {batch}")
        for batch, classify in prepared.items()
    )
    facts: dict[str, Any] = {
        "library": peer.library,
        "threads": mask_classifier(pipeline).threads,
        "precision": peer.precision,
        "weights": peer.weights,
    }
    if peer.comparable:
        faces = _faces(pipeline, pictures)
        probabilities = [prepared[len(crops)](crops), *(prepared[1](face[None]) for face in faces)]
        expected = mask_classifier(pipeline)(np.concatenate([crops, faces]))
        facts["agreement"] = _agreement(np.concatenate(probabilities), expected, mask_classifier(pipeline).labels)
    return Outcome(timings, facts)


def _agreement(probabilities: Probabilities, expected: Probabilities, labels: Sequence[str]) -> dict[str, Any]:
    """How far probabilities are from the pipeline's, as JSON-ready values.

    Raises:
        ValueError: They have another shape.
    """
    if probabilities.shape != expected.shape:
        raise ValueError(
            f"expected probabilities of {', '.join(labels)} for {len(expected)} crops, got shape {probabilities.shape}"
        )
    return {
        "labels_changed": int((probabilities.argmax(axis=1) != expected.argmax(axis=1)).sum()),
        "of": len(expected),
        "largest_difference": round(float(np.abs(probabilities - expected).max()), 6),
    }


def _faces(pipeline: MaskPipeline, pictures: Sequence[str]) -> Crops:
    compared = list(pictures)[:_COMPARED]
    crops = [draw_noise(mask_classifier(pipeline), 0)]
    for picture, result in zip(compared, pipeline.stream(compared), strict=True):
        if len(result):
            boxes = np.array([face.box for face in result], np.float64)
            crops.append(mask_classifier(pipeline).crop(load_image(picture, limits=pipeline.limits).pixels, boxes))
    return np.concatenate(crops)
