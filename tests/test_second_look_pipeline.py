"""The second look in a pipeline: the classifier decides which proposals are faces, and where."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck import Detections, MaskClassifier, MaskPipeline, ModelError, PluginError
from maskcheck.classifier.second_look import Combination, Look
from maskcheck.engine.processes import stream_in_processes
from maskcheck.runtime.session import OnnxSession

RED = (20, 20, 250)  # BGR: no face, says the small classifier
LEFT, RIGHT, FALSE = (10, 10, 30, 30), (60, 30, 80, 50), (60, 0, 80, 20)
SURE = 1 / (1 + math.exp(-3))  # that a grey crop is a face
PLAIN = Combination(least=0.2, weight=0.0, offset=0.0)  # the score is the classifier's alone


class Proposer:
    """Proposes boxes with scores, and landmarks in their corners, in every picture."""

    default_min_score = 0.9

    def __init__(self, boxes: Sequence[Sequence[float]], scores: Sequence[float]) -> None:
        self.detections = Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(scores, np.float32),
            np.array(boxes, np.float32).reshape(-1, 2, 2),
        )

    def detect(self, _image: NDArray[np.uint8], /) -> Detections:
        return self.detections


@pytest.fixture
def scene() -> NDArray[np.uint8]:
    """Grey everywhere, but for a red place, which is no face."""
    picture = np.full((60, 100, 3), 100, np.uint8)
    x1, y1, x2, y2 = FALSE
    picture[y1:y2, x1:x2] = RED
    return picture


@pytest.fixture
def make(make_toy_model: Callable[..., Path]) -> Callable[..., MaskPipeline]:
    """Makes pipelines whose classifier looks at what `Proposer` proposes."""

    def make(
        boxes: Sequence[Sequence[float]] = (LEFT, RIGHT, FALSE),
        scores: Sequence[float] = (0.5, 0.3, 0.8),
        *,
        combination: Combination = PLAIN,
        place: tuple[float, float, float, float] = (0, 0, 0, 0),
        **others: Any,
    ) -> MaskPipeline:
        model = make_toy_model(second_look={"Proposer": combination}, place=place)
        return MaskPipeline(Proposer(boxes, scores), model=model, **others)

    return make


def test_a_proposal_that_is_no_face_goes_however_sure_the_detector_is(
    make: Callable[..., MaskPipeline], scene: NDArray[np.uint8]
) -> None:
    result = make()(scene)

    assert [face.box for face in result] == [LEFT, RIGHT]
    assert [face.face for face in result] == pytest.approx([SURE, SURE], abs=1e-4)
    assert result.scores.tolist() == pytest.approx([SURE, SURE], abs=1e-4)


def test_proposals_below_the_least_score_of_the_combination_are_not_looked_at(
    make: Callable[..., MaskPipeline], scene: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    look = MaskClassifier.look

    def spy(classifier: MaskClassifier, crops: NDArray[np.uint8]) -> Look:
        looked.append(len(crops))
        return look(classifier, crops)

    monkeypatch.setattr(MaskClassifier, "look", spy)

    result = make(scores=(0.5, 0.19, 0.8))(scene)

    assert looked == [2]
    assert [face.box for face in result] == [LEFT]


def test_the_score_combines_classifier_and_detector(
    make: Callable[..., MaskPipeline], scene: NDArray[np.uint8]
) -> None:
    result = make(combination=Combination(least=0.2, weight=0.5, offset=-1.0))(scene)

    odds = [3 + 0.5 * math.log(score / (1 - score)) - 1 for score in (0.5, 0.3)]
    assert result.scores.tolist() == pytest.approx([1 / (1 + math.exp(-value)) for value in odds], abs=1e-4)


def test_boxes_move_to_the_face_and_stay_in_the_picture_while_landmarks_stay(
    make: Callable[..., MaskPipeline], scene: NDArray[np.uint8]
) -> None:
    # A quarter of a side to the left, and twice as wide.
    result = make([LEFT, RIGHT], [0.5, 0.4], place=(-0.25, 0, math.log(2), 0))(scene)

    assert [face.box for face in result] == [pytest.approx((0, 10, 35, 30)), pytest.approx((45, 30, 85, 50))]
    assert [face.landmarks for face in result] == [((10, 10), (30, 30)), ((60, 30), (80, 50))]


def test_several_proposals_of_a_face_become_one_box(
    make: Callable[..., MaskPipeline], scene: NDArray[np.uint8]
) -> None:
    beside, inside = (12, 10, 32, 30), (12, 12, 20, 20)

    result = make([LEFT, beside, inside, RIGHT], [0.5, 0.5, 0.5, 0.5])(scene)

    assert [face.box for face in result] == [pytest.approx((11, 10, 31, 30)), RIGHT]


@pytest.mark.parametrize(("min_score", "count"), [(None, 2), (0.94, 2), (0.96, 0), (0, 3)])
def test_the_least_score_is_one_of_the_combined_and_half_by_default(
    make: Callable[..., MaskPipeline], scene: NDArray[np.uint8], min_score: float | None, count: int
) -> None:
    pipeline = make(min_score=min_score)

    result = pipeline(scene)

    assert len(result) == count
    assert result.receipt is not None
    assert (result.receipt.min_score, result.receipt.second_look) == (pipeline.min_score, True)
    assert pipeline.min_score == (0.5 if min_score is None else min_score)


def test_the_least_score_can_be_changed_between_the_halves(
    make: Callable[..., MaskPipeline], scene: NDArray[np.uint8]
) -> None:
    pipeline = make()
    prepared = pipeline.prepare(scene)

    pipeline.min_score = 0.0

    assert len(pipeline.finish([prepared])[0]) == 3


def test_the_best_faces_are_kept_and_a_note_says_how_many_are_not(
    make: Callable[..., MaskPipeline], scene: NDArray[np.uint8]
) -> None:
    weighted = Combination(least=0.2, weight=1.0, offset=0.0)

    result = make(scores=(0.3, 0.6, 0.8), combination=weighted, max_faces=1)(scene)

    assert [face.box for face in result] == [RIGHT]
    assert result.notes == ("only the best 1 of 2 faces are reported; raise max_faces",)


def test_the_proposals_of_a_picture_are_bounded(make: Callable[..., MaskPipeline], scene: NDArray[np.uint8]) -> None:
    boxes = [(x, 0, x + 8, 8) for x in range(0, 60, 10)]

    result = make(boxes, [0.5] * 6, max_faces=1)(scene)

    assert result.notes == (
        "only the best 4 of 6 possible faces were classified; raise max_faces",
        "only the best 1 of 4 faces are reported; raise max_faces",
    )


@pytest.mark.parametrize("name", ["another detector", None], ids=["another detector", "schema 1"])
def test_other_detectors_keep_their_scores_and_boxes(
    make_toy_model: Callable[..., Path], scene: NDArray[np.uint8], name: str | None
) -> None:
    model = make_toy_model(second_look=name and {name: PLAIN}, place=(0.3, 0.3, 0.3, 0.3))

    result = MaskPipeline(Proposer([LEFT, RIGHT, FALSE], [0.5, 0.95, 0.97]), model=model)(scene)

    assert [face.box for face in result] == [FALSE, RIGHT]  # from the detector's own least score on
    assert result.scores.tolist() == pytest.approx([0.97, 0.95])
    assert [face.face for face in result] == ([pytest.approx(0, abs=1e-4), pytest.approx(SURE)] if name else [None] * 2)
    assert result.receipt is not None
    assert (result.receipt.min_score, result.receipt.second_look) == (0.9, False)


def test_boxes_of_the_caller_stay_and_a_false_one_is_visible(
    make: Callable[..., MaskPipeline], scene: NDArray[np.uint8]
) -> None:
    faces = make(place=(0.3, 0.3, 0.3, 0.3)).classify(scene, [FALSE, LEFT])

    assert [face.box for face in faces] == [FALSE, LEFT]
    assert [face.face for face in faces] == [pytest.approx(0, abs=1e-4), pytest.approx(SURE)]
    assert [face.detection_score for face in faces] == [None, None]


def test_streams_submissions_and_pickled_pipelines_give_what_a_call_gives(
    make: Callable[..., MaskPipeline], scene: NDArray[np.uint8]
) -> None:
    pipeline = make(place=(0.1, 0, 0.1, 0), batch_size=2)
    pictures = [scene, np.ascontiguousarray(scene[:, ::-1]), np.pad(scene, ((0, 20), (0, 0), (0, 0)))]

    expected = [pipeline(picture).faces for picture in pictures]

    assert [result.faces for result in pipeline.stream(pictures)] == expected
    assert [pipeline.submit(picture).result().faces for picture in pictures] == expected
    copied = pickle.loads(pickle.dumps(pipeline))
    assert [copied(picture).faces for picture in pictures] == expected
    prepared = [pickle.loads(pickle.dumps(copied.prepare(picture))) for picture in pictures]
    assert [result.faces for result in pipeline.finish(prepared)] == expected
    pipeline.close()


def test_worker_processes_give_what_a_call_gives(make: Callable[..., MaskPipeline], scene: NDArray[np.uint8]) -> None:
    pipeline = make(place=(0.1, 0, 0.1, 0))

    (result,) = stream_in_processes(pipeline, [scene], workers=1)

    assert result.faces == pipeline(scene).faces
    assert len(result) == 2


def test_a_picture_that_fails_costs_the_others_nothing(
    make: Callable[..., MaskPipeline], scene: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = OnnxSession.run

    def fail_on_dark(session: OnnxSession, feeds: Any) -> Any:
        if feeds["faces"].min() == 0:
            raise RuntimeError("dark")
        return run(session, feeds)

    monkeypatch.setattr(OnnxSession, "run", fail_on_dark)
    pipeline = make()

    first, dark, last = pipeline.batch([scene, np.zeros_like(scene), scene])

    assert dark.error is not None
    assert len(dark) == 0
    assert first.faces == last.faces
    assert len(first) == 2


def test_a_picture_without_proposals_has_no_face(make: Callable[..., MaskPipeline], scene: NDArray[np.uint8]) -> None:
    assert len(make([], [])(scene)) == 0


def test_making_a_pipeline_loads_no_model(make: Callable[..., MaskPipeline], tmp_path: Path) -> None:
    pipeline = make()
    (tmp_path / "toy.onnx").write_bytes(b"gone")

    with pytest.raises(ModelError):
        _ = pipeline.min_score  # which the classifier decides
    pipeline.min_score = 0.3
    assert pipeline.min_score == 0.3


class Looks:
    """A classifier of a plugin that takes a second look."""

    labels = ("one", "two")
    batch_size = 8
    second_look: ClassVar[Any] = {"Proposer": PLAIN}

    def __init__(self, face: Any, box: Any) -> None:
        self.said = face, box

    def crop(self, _image: NDArray[np.uint8], boxes: NDArray[np.floating], /) -> NDArray[np.uint8]:
        return np.zeros((len(boxes), 2), np.uint8)

    def __call__(self, crops: NDArray[np.uint8], /) -> NDArray[np.float32]:
        return np.tile(np.array([1, 0], np.float32), (len(crops), 1))

    def look(self, crops: NDArray[np.uint8], /) -> Look:
        return Look(self(crops), *self.said)


def test_a_classifier_of_a_plugin_may_take_a_second_look(scene: NDArray[np.uint8]) -> None:
    looks = Looks(np.array([0.9, 0.1, 0.7], np.float32), np.zeros((3, 4), np.float32))

    result = MaskPipeline(Proposer([LEFT, RIGHT, FALSE], [0.9, 0.8, 0.7]), classifier=looks)(scene)

    assert [face.box for face in result] == [LEFT, FALSE]
    assert result.scores.tolist() == pytest.approx([0.9, 0.7])


@pytest.mark.parametrize(
    ("face", "box", "message"),
    [
        (None, None, "expected face of shape .3,., got NoneType"),
        (np.zeros(2, np.float32), np.zeros((3, 4), np.float32), "expected face of shape"),
        (np.zeros(3, np.float32), np.zeros((3, 3), np.float32), "expected box of shape .3, 4."),
        (np.full(3, 1.5, np.float32), np.zeros((3, 4), np.float32), "expected face in .0, 1."),
        (np.full(3, np.nan, np.float32), np.zeros((3, 4), np.float32), "expected face in .0, 1."),
        (np.zeros(3, np.float32), np.full((3, 4), np.inf, np.float32), "expected box of finite numbers"),
    ],
)
def test_a_second_look_of_a_plugin_is_checked(scene: NDArray[np.uint8], face: Any, box: Any, message: str) -> None:
    pipeline = MaskPipeline(Proposer([LEFT, RIGHT, FALSE], [0.9, 0.8, 0.7]), classifier=Looks(face, box))

    with pytest.raises(PluginError, match=f"classifier Looks: {message}"):
        pipeline(scene)
