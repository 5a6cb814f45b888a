"""What the host does with a detector: it is called, what it gives is checked, and what it raises names it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from maskcheck import Detections, DetectorSpec, ModelNotFound, PluginError
from maskcheck.detectors.guard import (
    describe_detector,
    detector_batch_size,
    detector_labels,
    detector_min_score,
    run_detector,
    run_detector_batch,
    warm_up_detector,
)
from maskcheck.pictures.decoding import BGRImage
from maskcheck.stages import StageDescription

LABELS = ("with_mask", "without_mask")


def picture(brightness: int = 0) -> BGRImage:
    return np.full((40, 60, 3), brightness, np.uint8)


def faces(count: int, probabilities: Any = None, score: float = 0.5) -> Detections:
    boxes = np.tile(np.array([10, 10, 30, 30], np.float32), (count, 1))
    rows = None if probabilities is None else np.array(probabilities, np.float32)
    return Detections(boxes, np.full(count, score, np.float32), None, rows)


class Finds:
    """A detector that gives what it is made with, and whatever other members a test wants."""

    def __init__(self, detections: Any = None, **members: Any) -> None:
        self.detections = faces(1) if detections is None else detections
        vars(self).update(members)

    def detect(self, _image: BGRImage, /) -> Detections:
        result: Detections = self.detections
        return result


class FindsInBatches:
    """The score of its face is the brightness of the picture; keeps how many pictures came at once."""

    def __init__(self, batch_size: int = 8) -> None:
        self.batch_size = batch_size
        self.calls: list[int] = []

    def detect(self, image: BGRImage, /) -> Detections:
        self.calls.append(1)
        return faces(1, score=image[0, 0, 0] / 255)

    def detect_batch(self, images: Sequence[BGRImage]) -> list[Detections]:
        self.calls.append(len(images))
        return [faces(1, score=image[0, 0, 0] / 255) for image in images]


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_arguments: Any) -> Any:
        raise error

    return fail


# --- Batches


def test_a_batch_gives_the_faces_of_each_picture_in_order() -> None:
    detector = FindsInBatches()

    detections = run_detector_batch(detector, [picture(255), picture(0), picture(51)], name="mine")

    assert [each.scores.tolist() for each in detections] == [[1], [0], [pytest.approx(0.2)]]
    assert detector.calls == [3]


def test_a_detector_gets_at_most_as_many_pictures_at_once_as_it_wants() -> None:
    detector = FindsInBatches(batch_size=2)

    assert len(run_detector_batch(detector, [picture()] * 5, name="mine")) == 5
    assert detector.calls == [2, 2, 1]


def test_with_a_batch_size_of_1_pictures_come_one_by_one() -> None:
    detector = FindsInBatches(batch_size=1)

    assert len(run_detector_batch(detector, [picture()] * 3, name="mine")) == 3
    assert detector.calls == [1, 1, 1]


def test_a_detector_without_batches_gets_the_pictures_one_by_one() -> None:
    assert len(run_detector_batch(Finds(), [picture()] * 3, name="mine")) == 3
    assert run_detector_batch(Finds(), [], name="mine") == []
    assert run_detector_batch(FindsInBatches(), [], name="mine") == []


def test_the_pictures_of_a_batch_cannot_be_changed() -> None:
    def write(images: Sequence[BGRImage]) -> Any:
        images[1][0, 0] = 0

    pictures = [picture(7), picture(7)]

    with pytest.raises(PluginError, match="must not change the picture"):
        run_detector_batch(Finds(detect_batch=write), pictures, name="mine")
    assert pictures[1].flags.writeable


@pytest.mark.parametrize(
    ("given", "got"),
    [(None, "NoneType"), (faces(1), "Detections"), ([], "0 of them"), ([faces(1)] * 3, "3 of them")],
    ids=["nothing", "no list", "too few", "too many"],
)
def test_a_batch_without_detections_for_each_picture_is_a_fault_of_the_detector(given: Any, got: str) -> None:
    detector = Finds(detect_batch=lambda _images: given)

    with pytest.raises(PluginError, match=rf"detector mine: expected .* one for each of 2 pictures, got {got}$"):
        run_detector_batch(detector, [picture()] * 2, name="mine")


def test_each_picture_of_a_batch_is_checked_as_a_single_one_is() -> None:
    outside = Detections(np.array([[0, 0, 90, 30]], np.float32), np.ones(1, np.float32))

    with pytest.raises(PluginError, match="inside the picture of 60 x 40 pixels"):
        run_detector_batch(Finds(detect_batch=lambda _: [faces(1), outside]), [picture()] * 2, name="mine")
    with pytest.raises(PluginError, match="to return a list of Detections, got str"):
        run_detector_batch(Finds(detect_batch=lambda _: [faces(1), "face"]), [picture()] * 2, name="mine")


@pytest.mark.parametrize("size", [0, -1, 2.0, "8", None, True])
def test_a_batch_size_that_is_none_is_a_fault_of_the_detector(size: Any) -> None:
    detector = Finds(detect_batch=list, batch_size=size)

    with pytest.raises(PluginError, match=rf"expected batch_size to be a whole number from 1, got {size!r}"):
        detector_batch_size(detector)


def test_the_batch_size_is_8_unless_the_detector_says_otherwise() -> None:
    assert detector_batch_size(Finds(detect_batch=list)) == 8
    assert detector_batch_size(Finds(detect_batch=list, batch_size=3)) == 3
    assert detector_batch_size(Finds(batch_size=3)) == 1


# --- Labels and probabilities


def test_a_detector_says_its_labels_or_has_none() -> None:
    assert detector_labels(Finds()) is None
    assert detector_labels(Finds(labels=None)) is None
    assert detector_labels(Finds(labels=LABELS)) == LABELS


@pytest.mark.parametrize("labels", [(), ["a", "b"], "ab", ("a", "a"), ("a", ""), ("a", 1), 2])
def test_labels_are_a_tuple_of_distinct_texts(labels: Any) -> None:
    expected = re.escape(f"expected labels to be a tuple of distinct texts, got {labels!r}")
    with pytest.raises(PluginError, match=expected):
        detector_labels(Finds(labels=labels))


def test_a_detector_with_labels_gives_a_probability_of_each() -> None:
    rows = [[0.75, 0.25], [0, 1]]

    detections = run_detector(Finds(faces(2, rows), labels=LABELS), picture(), name="mine")

    assert detections.probabilities is not None
    assert detections.probabilities.tolist() == rows
    assert len(run_detector(Finds(Detections.empty(), labels=LABELS), picture(), name="mine")) == 0


@pytest.mark.parametrize(
    ("detections", "labels", "message"),
    [
        (faces(1), LABELS, r"probabilities of its 2 labels \(with_mask, without_mask\) for each face, got none"),
        (faces(1, [[1]]), LABELS, "probabilities of its 2 labels .*, got those of 1 labels"),
        (faces(1, [[0.5, 0.5]]), None, "expected no probabilities from a detector without labels, got them for 2"),
        (faces(0, np.empty((0, 2))), None, "expected no probabilities from a detector without labels"),
    ],
    ids=["none", "too few", "no labels", "no labels and no faces"],
)
def test_probabilities_that_do_not_fit_the_labels_are_a_fault_of_the_detector(
    detections: Detections, labels: Any, message: str
) -> None:
    detector = Finds(detections, labels=labels, detect_batch=lambda images: [detections for _ in images])

    with pytest.raises(PluginError, match=message):
        run_detector(detector, picture(), name="mine")
    with pytest.raises(PluginError, match=message):
        run_detector_batch(detector, [picture()] * 2, name="mine")


# --- Threshold


def test_the_threshold_is_the_detectors_then_that_of_a_version_1_spec_and_else_0() -> None:
    spec = DetectorSpec("mine", "Finds faces", Finds, default_min_score=0.75, api_version=1)

    assert detector_min_score(Finds(default_min_score=np.float32(0.5)), spec) == 0.5
    assert detector_min_score(Finds(default_min_score=0.0), spec) == 0
    assert detector_min_score(Finds(), spec) == 0.75
    assert detector_min_score(Finds()) == 0


@pytest.mark.parametrize("score", [-0.1, 1.5, float("nan"), "0.5", True])
def test_a_threshold_that_is_no_score_is_a_fault_of_the_detector(score: Any) -> None:
    with pytest.raises(PluginError, match=r"expected default_min_score to be a number in \[0, 1\], got"):
        detector_min_score(Finds(default_min_score=score))


# --- Description


def test_a_detector_describes_what_it_runs_with() -> None:
    description = StageDescription(model="faces.onnx", providers=("CPUExecutionProvider",), threads=2)

    assert describe_detector(Finds(describe=lambda: description), name="mine") is description
    assert describe_detector(Finds(), name="mine") == StageDescription()


def test_a_description_of_another_kind_is_a_fault_of_the_detector() -> None:
    with pytest.raises(
        PluginError, match=r"detector mine: expected describe\(\) to return a StageDescription, got dict"
    ):
        describe_detector(Finds(describe=dict), name="mine")


# --- Whatever it raises


CALLS: dict[str, tuple[Callable[[Callable[..., Any]], Any], str]] = {
    "detect": (lambda fail: run_detector(Finds(detect=fail), picture(), name="mine"), "failed on a picture of shape"),
    "detect_batch": (
        lambda fail: run_detector_batch(Finds(detect_batch=fail), [picture()] * 2, name="mine"),
        "failed on 2 pictures of shape (40, 60, 3)",
    ),
    "warm_up": (lambda fail: warm_up_detector(Finds(warm_up=fail), name="mine"), "cannot be loaded"),
    "describe": (lambda fail: describe_detector(Finds(describe=fail), name="mine"), "cannot be described"),
}


@pytest.mark.parametrize(("call", "problem"), CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("error", [RuntimeError("no memory"), SystemExit(3)], ids=["error", "exit"])
def test_what_a_detector_raises_becomes_an_error_that_names_it(
    call: Callable[[Callable[..., Any]], Any], problem: str, error: BaseException
) -> None:
    expected = re.escape(f"detector mine {problem}") + f".*{type(error).__name__}: {error}"
    with pytest.raises(PluginError, match=expected) as raised:
        call(raising(error))

    assert raised.value.plugin == "mine"
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("call", [call for call, _ in CALLS.values()], ids=CALLS.keys())
@pytest.mark.parametrize("error", [ModelNotFound("no such file", path="m.onnx"), KeyboardInterrupt()], ids=repr)
def test_errors_of_ours_and_ctrl_c_stay_what_they_are(
    call: Callable[[Callable[..., Any]], Any], error: BaseException
) -> None:
    with pytest.raises(type(error)) as raised:
        call(raising(error))

    assert raised.value is error
