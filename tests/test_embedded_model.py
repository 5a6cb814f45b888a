"""The models that ship with the SDK, on the pictures in ``examples/``."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from maskcheck import FrameResult, MaskClassifier, MaskPipeline
from maskcheck.classifier.model import EMBEDDED_MODELS
from maskcheck.pictures.decoding import ImageLike

# Boxes by hand, so that these tests are of the classifier and not of the detector.
FACES = {
    "astronaut.jpg": ((156, 112, 356, 360), "without_mask"),
    "astronaut_white_mask.jpg": ((156, 112, 356, 360), "with_mask"),
    "astronaut_black_mask.jpg": ((156, 112, 356, 360), "with_mask"),
    "grace_hopper.jpg": ((150, 120, 350, 370), "without_mask"),
    "grace_hopper_blue_mask.jpg": ((150, 120, 350, 370), "with_mask"),
    "grace_hopper_patterned_mask.jpg": ((150, 120, 350, 370), "with_mask"),
}


@pytest.fixture(scope="module", params=EMBEDDED_MODELS)
def pipeline(request: pytest.FixtureRequest) -> MaskPipeline:
    return MaskPipeline(device="cpu", model=request.param)


@pytest.mark.parametrize(("model", "expected"), [(None, "int8"), ("small", "float32")])
def test_on_a_cpu_with_avx2_alone_a_model_runs_in_int8_if_that_is_exact(
    cpu_has: Callable[..., None], model: str | None, expected: str
) -> None:
    cpu_has("avx2")

    assert MaskClassifier(model, device="cpu").precision == expected


def described(result: FrameResult) -> list[tuple[tuple[float, ...], str]]:
    return [(face.box, face.label) for face in result]


@pytest.mark.parametrize(("name", "box", "label"), [(name, *face) for name, face in FACES.items()])
def test_the_faces_of_the_examples_are_labelled_correctly(
    pipeline: MaskPipeline, examples: Path, name: str, box: tuple[int, ...], label: str
) -> None:
    (face,) = pipeline.classify(examples / name, [box])

    assert face.label == label
    assert sum(face.probabilities.values()) == pytest.approx(1, abs=1e-6)


def test_the_default_pipeline_labels_masked_and_bare_faces_correctly(pipeline: MaskPipeline, examples: Path) -> None:
    results = list(pipeline.stream([examples / name for name in FACES]))

    labelled = {(Path(result.source or "").name, face.label) for result in results for face in result}
    assert {label for _, label in labelled} == {"with_mask", "without_mask"}
    assert all(FACES[name][1] == label for name, label in labelled)


def test_path_bytes_array_and_pil_give_the_same(pipeline: MaskPipeline, portrait: Path) -> None:
    inputs: list[ImageLike] = [
        portrait,
        portrait.read_bytes(),
        np.asarray(cv2.imread(str(portrait))),
        Image.open(portrait),
    ]

    first, *others = [described(pipeline(image)) for image in inputs]

    assert [label for _, label in first] == ["without_mask"]
    assert all(other == first for other in others)


def test_eight_threads_get_the_results_of_a_single_thread(pipeline: MaskPipeline, examples: Path) -> None:
    pictures = [examples / name for name in FACES] * 2

    with ThreadPoolExecutor(8) as pool:
        together = [described(result) for result in pool.map(pipeline, pictures)]

    assert together == [described(pipeline(picture)) for picture in pictures]


@pytest.mark.parametrize("name", EMBEDDED_MODELS)
def test_the_metadata_has_origin_and_accuracy(name: str) -> None:
    classifier = MaskClassifier(name, device="cpu")

    info = classifier.info
    assert classifier.labels == ("with_mask", "without_mask", "mask_worn_incorrectly")
    assert info.license == "MIT"
    assert re.search(r"trained from commit [0-9a-f]{40} ", info.created_by)
    assert all(name in info.trained_on for name in ("crowd: ", "faces: ", "seed: "))
    assert 0.9 < info.metrics["datasets"]["crowd"]["all"]["accuracy"] < 1
    assert Path(classifier.path).stat().st_size < {"default": 30e6, "small": 4e6}[name]
