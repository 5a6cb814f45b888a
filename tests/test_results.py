from __future__ import annotations

import copy
import json
import math
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from maskcheck import (
    DecodingLimits,
    Face,
    FrameResult,
    ImageError,
    ImageTooLarge,
    MaskCheckError,
    PackageNotInstalled,
    PictureTimeout,
    PluginError,
    Receipt,
    StageReceipt,
    Timings,
)
from maskcheck.results import count_labels

FACE = Face(
    box=(10, 20, 50, 55),
    label="with_mask",
    confidence=0.87654321,
    probabilities={"with_mask": 0.87654321, "without_mask": 0.12345679},
    detection_score=0.98765432,
)
RECEIPT = Receipt(
    detector="haar",
    detector_options={"preset": "fast"},
    min_score=0.5,
    tile=None,
    model="toy.onnx",
    model_sha256="ab" * 32,
    providers=("CPUExecutionProvider",),
    threads=2,
    precision="int8",
    chosen_by="cpu",
    versions={"numpy": "2.0"},
    stages=(
        StageReceipt("detector", "haar", distribution="maskcheck", version="1.0", options={"preset": "fast"}),
        StageReceipt(
            "classifier",
            "mask",
            model="toy.onnx",
            model_sha256="ab" * 32,
            providers=("CPUExecutionProvider",),
            threads=2,
            precision="int8",
        ),
    ),
)


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """100 x 60 pixels of noise, BGR."""
    return np.random.default_rng(0).integers(0, 256, (60, 100, 3), np.uint8)


# --- JSON


def test_a_result_follows_the_schema() -> None:
    result = FrameResult(
        faces=(FACE,),
        size=(100, 60),
        timings=Timings(decode=1.23456, detect=20.0, classify=3.0),
        source="a.jpg",
        frame=7,
        receipt=RECEIPT,
    )

    line = result.to_dict()

    assert line == {
        "schema": "maskcheck/1",
        "source": "a.jpg",
        "frame": 7,
        "width": 100,
        "height": 60,
        "faces": [
            {
                "box": [10, 20, 50, 55],
                "label": "with_mask",
                "confidence": 0.876543,
                "probabilities": {"with_mask": 0.876543, "without_mask": 0.123457},
                "detection_score": 0.987654,
            }
        ],
        "timings_ms": {"decode": 1.235, "detect": 20.0, "classify": 3.0, "total": 24.235},
        "error": None,
    }
    assert json.loads(json.dumps(line)) == line


def test_notes_are_in_the_json_only_if_there_are_some() -> None:
    noted = FrameResult((), (100, 60), notes=("only the first of 3 frames was read",)).to_dict()
    plain = FrameResult((), (100, 60)).to_dict()

    assert noted == plain | {"notes": ["only the first of 3 frames was read"]}
    assert "notes" not in plain


def test_a_picture_that_could_not_be_read_has_the_same_keys_and_its_error() -> None:
    error = ImageError("a.jpg is empty (0 bytes)", source="a.jpg")

    line = FrameResult((), (0, 0), source="a.jpg", error=error).to_dict()

    assert line == {
        "schema": "maskcheck/1",
        "source": "a.jpg",
        "frame": 0,
        "width": 0,
        "height": 0,
        "faces": [],
        "timings_ms": {"decode": 0.0, "detect": 0.0, "classify": 0.0, "total": 0.0},
        "error": {"type": "ImageError", "message": "a.jpg is empty (0 bytes)"},
    }
    assert json.loads(json.dumps(line)) == line


def test_a_face_without_a_detection_score_has_null_in_the_json() -> None:
    line = Face((0, 0, 9, 9), "with_mask", 1.0, {"with_mask": 1.0}).to_dict()

    assert line["detection_score"] is None


def test_a_detection_score_of_zero_is_not_null() -> None:
    line = Face((0, 0, 9, 9), "with_mask", 1.0, {"with_mask": 1.0}, detection_score=0.0).to_dict()

    assert line["detection_score"] == 0.0
    assert line["detection_score"] is not None


def test_a_receipt_is_json_ready() -> None:
    line = RECEIPT.to_dict()

    assert json.loads(json.dumps(line)) == line
    assert line == {
        "schema": "maskcheck-receipt/1",
        "detector": "haar",
        "detector_options": {"preset": "fast"},
        "min_score": 0.5,
        "tile": None,
        "model": "toy.onnx",
        "model_sha256": "ab" * 32,
        "providers": ["CPUExecutionProvider"],
        "threads": 2,
        "precision": "int8",
        "chosen_by": "cpu",
        "versions": {"numpy": "2.0"},
        "stages": [
            {
                "kind": "detector",
                "name": "haar",
                "distribution": "maskcheck",
                "version": "1.0",
                "options": {"preset": "fast"},
                "model": None,
                "model_sha256": None,
                "providers": [],
                "threads": None,
                "precision": None,
            },
            {
                "kind": "classifier",
                "name": "mask",
                "distribution": None,
                "version": None,
                "options": {},
                "model": "toy.onnx",
                "model_sha256": "ab" * 32,
                "providers": ["CPUExecutionProvider"],
                "threads": 2,
                "precision": "int8",
            },
        ],
    }


def test_total_time_is_the_sum_of_the_stages() -> None:
    assert Timings(decode=1.0, detect=20.0, classify=300.0).total == 321.0


# --- from JSON

RESULTS = {
    "faces": FrameResult((FACE, replace(FACE, box=(0, 0, 9, 9), detection_score=None)), (100, 60), source="a.jpg"),
    "no face": FrameResult((), (100, 60)),
    "a frame": FrameResult((), (100, 60), source="street.mp4", frame=75, time=2.5),
    "landmarks and a track": FrameResult((replace(FACE, landmarks=((20.25, 30.0), (40, 31)), track_id=0),), (100, 60)),
    "whether it is a face": FrameResult((replace(FACE, face=0.0), replace(FACE, face=0.98765432)), (100, 60)),
    "other labels": FrameResult((Face((0, 0, 1, 1), "口罩", 0.75, {"口罩": 0.75, "": 0.25}),), (1, 1)),
    "a box between pixels": FrameResult((replace(FACE, box=(0.5, 0.5, 8.5, 8.5)),), (100, 60)),
    "notes": FrameResult((), (100, 60), notes=("only the first of 3 frames was read", "")),
    "timings": FrameResult((), (100, 60), timings=Timings(decode=1.25, detect=20.125, classify=3)),
    "a name that is not UTF-8": FrameResult((), (100, 60), source="caf\udce9.jpg"),
    "an error": FrameResult((), (0, 0), source="a.jpg", error=ImageError("a.jpg is empty", source="a.jpg")),
}


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_a_result_comes_back_from_its_json(result: FrameResult) -> None:
    line = result.to_dict()

    again = FrameResult.from_dict(json.loads(json.dumps(line)))

    assert again.to_dict() == line


def test_a_result_with_short_numbers_is_equal_when_it_comes_back() -> None:
    face = Face(
        (10, 20, 50, 55), "with_mask", 0.75, {"with_mask": 0.75, "without_mask": 0.25}, 0.5, ((1.5, 2.0),), 3, face=0.5
    )
    result = FrameResult((face,), (100, 60), Timings(1.5, 2.5, 3.5), "a.mp4", frame=3, time=0.1, notes=("cut",))

    assert FrameResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def from_error(error: MaskCheckError) -> MaskCheckError:
    line = FrameResult((), (0, 0), source="a.jpg", error=error).to_dict()
    again = FrameResult.from_dict(json.loads(json.dumps(line))).error
    assert again is not None
    return again


ERRORS = [
    ImageError("a.jpg is empty", source="a.jpg"),
    ImageTooLarge("too large", source="a.jpg", pixels=9, limit=8),
    PictureTimeout("too slow", source="a.jpg", timeout=3.0),
    PluginError("broken", plugin="haar"),
    PackageNotInstalled("not there", package="supervision"),
    MaskCheckError("something"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_comes_back_as_its_class(error: MaskCheckError) -> None:
    again = from_error(error)

    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again).keys() == vars(error).keys()
    assert str(pickle.loads(pickle.dumps(again))) == str(error)


def test_an_error_that_comes_back_knows_its_source() -> None:
    error = from_error(ImageTooLarge("too large", source="a.jpg", pixels=9, limit=8))

    assert isinstance(error, ImageTooLarge)
    assert error.source == "a.jpg"
    assert error.limit is None


@pytest.mark.parametrize("name", ["SomebodysOwnError", "Exception", "annotations", "__name__", "Mapping"])
def test_an_error_of_another_class_comes_back_as_the_base_class(name: str) -> None:
    line = FrameResult((), (0, 0)).to_dict() | {"error": {"type": name, "message": "broken"}}

    error = FrameResult.from_dict(line).error

    assert type(error) is MaskCheckError
    assert str(error) == "broken"


def test_keys_that_are_not_known_are_ignored() -> None:
    line = FrameResult((FACE,), (100, 60)).to_dict()
    newer = line | {"camera": 3, "faces": [line["faces"][0] | {"age": 30}]}

    assert FrameResult.from_dict(newer).to_dict() == line


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "maskcheck/2"}, "schema: expected 'maskcheck/1', got 'maskcheck/2'"),
        ({"schema": None}, "schema: expected 'maskcheck/1', got None"),
        ({"faces": {}}, "faces: expected a list, got {}"),
        ({"faces": [3]}, r"faces\[0\]: expected an object, got 3"),
        ({"faces": [FACE.to_dict(), FACE.to_dict() | {"box": [1, 2, 3]}]}, r"faces\[1\].box: expected a list of 4 num"),
        ({"faces": [FACE.to_dict() | {"label": None}]}, r"faces\[0\].label: expected a string, got None"),
        ({"faces": [FACE.to_dict() | {"confidence": True}]}, "confidence: expected a number, got True"),
        ({"faces": [FACE.to_dict() | {"confidence": math.nan}]}, "expected finite numbers"),
        (
            {"faces": [FACE.to_dict() | {"probabilities": [1.0]}]},
            "probabilities: expected an object with values",
        ),
        ({"faces": [FACE.to_dict() | {"landmarks": [[1, 2, 3]]}]}, "landmarks: expected a list of pairs of numbers"),
        ({"faces": [FACE.to_dict() | {"track_id": 1.5}]}, "track_id: expected a whole number, got 1.5"),
        ({"width": -1}, "width: expected a whole number from 0, got -1"),
        ({"frame": "3"}, "frame: expected a whole number from 0, got '3'"),
        ({"timings_ms": {}}, "timings_ms.decode: expected a number, got nothing"),
        ({"time": "soon"}, "time: expected a number, got 'soon'"),
        ({"notes": "cut"}, "notes: expected a list of strings, got 'cut'"),
        ({"error": "broken"}, "error: expected an object, got 'broken'"),
        ({"error": {"type": "ImageError"}}, "error.message: expected a string, got nothing"),
    ],
)
def test_json_of_another_form_is_refused_and_the_message_names_the_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FrameResult.from_dict(FrameResult((), (100, 60)).to_dict() | change)


@pytest.mark.parametrize("content", [None, [], "text", 3])
def test_json_that_is_no_object_is_refused(content: Any) -> None:
    with pytest.raises(ValueError, match="expected an object"):
        FrameResult.from_dict(content)


def test_a_receipt_comes_back_from_its_json() -> None:
    bare = replace(RECEIPT, tile=640, model=None, model_sha256=None, providers=(), threads=None, precision=None)

    for receipt in (RECEIPT, bare, replace(RECEIPT, stages=()), replace(RECEIPT, second_look=True)):
        assert Receipt.from_dict(json.loads(json.dumps(receipt.to_dict()))) == receipt


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "maskcheck/1"}, "schema: expected 'maskcheck-receipt/1', got 'maskcheck/1'"),
        ({"detector_options": {"preset": []}}, "detector_options: expected an object with values of type int or"),
        ({"stages": [{"kind": "tracker"}]}, r"stages\[0\].kind: expected 'detector' or 'classifier', got 'tracker'"),
    ],
)
def test_a_receipt_of_another_form_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Receipt.from_dict(RECEIPT.to_dict() | change)


# --- as a Python object


def test_iterating_a_result_gives_its_faces() -> None:
    other = Face((0, 0, 9, 9), "without_mask", 1.0, {"without_mask": 1.0})
    result = FrameResult((FACE, other), (100, 60))

    assert list(result) == [FACE, other]
    assert len(result) == 2


def test_a_result_without_faces_is_true_and_has_none() -> None:
    result = FrameResult((), (100, 60))

    assert bool(result) is True
    assert len(result) == 0
    assert list(result) == []


@pytest.mark.parametrize(
    ("thing", "attribute"),
    [(FACE, "label"), (FrameResult((), (1, 1)), "faces"), (Timings(), "decode"), (RECEIPT, "detector")],
)
def test_results_cannot_be_changed(thing: Any, attribute: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(thing, attribute, None)


def test_faces_and_results_can_be_members_of_a_set() -> None:
    same = replace(FACE, probabilities=dict(FACE.probabilities))
    other = replace(FACE, box=(0, 0, 9, 9))
    result = FrameResult((FACE,), (100, 60), receipt=RECEIPT)

    assert {FACE, same, other} == {FACE, other}
    assert hash(FACE) == hash(same)
    assert {result, FrameResult((same,), (100, 60), receipt=replace(RECEIPT))} == {result}


def test_faces_that_differ_only_in_their_probabilities_differ() -> None:
    other = replace(FACE, probabilities={"with_mask": 0.87654321, "without_mask": 0.1, "other": 0.02345679})

    assert len({FACE, other}) == 2


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda result: pickle.loads(pickle.dumps(result))])
def test_a_copy_is_equal(copied: Callable[[FrameResult], FrameResult]) -> None:
    result = FrameResult((FACE,), (100, 60), source="a.jpg", receipt=RECEIPT)

    assert copied(result) == result
    assert hash(copied(result)) == hash(result)


@pytest.mark.parametrize("number", [math.nan, math.inf])
@pytest.mark.parametrize("where", ["confidence", "detection_score", "probabilities"])
def test_no_number_of_a_face_is_infinite(where: str, number: float) -> None:
    values: dict[str, Any] = {where: {"with_mask": number} if where == "probabilities" else number}

    with pytest.raises(ValueError, match="expected finite numbers"):
        replace(FACE, **values)


def test_numbers_of_numpy_are_json_ready() -> None:
    number = np.float32(1)
    face = Face(tuple(np.array([0, 0, 9, 9])), "with_mask", number, {"with_mask": number}, number)  # type: ignore[arg-type, dict-item]

    assert json.loads(json.dumps(face.to_dict()))["box"] == [0, 0, 9, 9]


# --- counting


def test_labels_are_counted_over_results() -> None:
    unsure = replace(FACE, confidence=0.51)
    results = [FrameResult((FACE, unsure), (100, 60)), FrameResult((), (9, 9)), FrameResult((FACE,), (100, 60))]

    assert count_labels(results) == {"with_mask": 3}
    assert count_labels(results, min_confidence=0.6) == {"with_mask": 2, "unsure": 1}
    assert count_labels(results, min_confidence=0.51) == {"with_mask": 3}


# --- boxes between pixels, landmarks and tracks


def test_a_box_between_pixels_stays_precise_and_is_rounded_outwards_for_json() -> None:
    face = replace(FACE, box=(10.75, 20.0, 49.25, 54.01))

    assert face.box == (10.75, 20.0, 49.25, 54.01)
    assert face.pixel_box == (10, 20, 50, 55)
    assert face.to_dict() == FACE.to_dict()


def test_landmarks_and_track_are_in_the_json_where_there_are_any() -> None:
    face = replace(FACE, landmarks=((20.126, 30.0), (40.0, 30.5)), track_id=7)

    assert face.to_dict() == FACE.to_dict() | {"landmarks": [[20.13, 30.0], [40.0, 30.5]], "track_id": 7}


@pytest.mark.parametrize("certainty", [0.0, 0.123456789, 1.0])
def test_the_json_says_how_likely_it_is_a_face_if_the_classifier_does(certainty: float) -> None:
    assert replace(FACE, face=certainty).to_dict() == FACE.to_dict() | {"face": round(certainty, 6)}


@pytest.mark.parametrize("certainty", [-0.1, 1.1, math.nan, math.inf])
def test_how_likely_it_is_a_face_is_a_probability(certainty: float) -> None:
    with pytest.raises(ValueError, match=r"face: expected a number in \[0, 1\]"):
        replace(FACE, face=certainty)


def test_track_zero_and_time_zero_are_in_the_json() -> None:
    line = FrameResult((replace(FACE, track_id=0),), (100, 60), time=0.0).to_dict()

    assert line["faces"][0]["track_id"] == 0
    assert line["time"] == 0.0


def test_faces_that_differ_in_landmarks_track_or_certainty_differ() -> None:
    others = [replace(FACE, landmarks=((1.0, 2.0),)), replace(FACE, track_id=1), replace(FACE, track_id=2)]
    others += [replace(FACE, face=0.5), replace(FACE, face=0.0)]

    assert len({FACE, *others, *map(replace, others)}) == 6


@pytest.mark.parametrize("values", [{"box": (0, 0, math.inf, 9)}, {"landmarks": ((1.0, math.nan),)}])
def test_no_coordinate_is_infinite(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected finite numbers"):
        replace(FACE, **values)


# --- arrays


def test_the_faces_of_a_result_as_arrays() -> None:
    given = Face((0, 0.5, 9, 9), "without_mask", 1.0, {"without_mask": 1.0})
    result = FrameResult((FACE, given), (100, 60))

    np.testing.assert_array_equal(result.boxes, np.array([[10, 20, 50, 55], [0, 0.5, 9, 9]], np.float32), strict=True)
    np.testing.assert_array_equal(result.scores, np.array([0.98765432, np.nan], np.float32), strict=True)
    assert result.labels.tolist() == ["with_mask", "without_mask"]


def test_arrays_of_a_result_without_faces_have_the_same_shape_and_type() -> None:
    result = FrameResult((), (100, 60))

    np.testing.assert_array_equal(result.boxes, np.empty((0, 4), np.float32), strict=True)
    np.testing.assert_array_equal(result.scores, np.empty(0, np.float32), strict=True)
    assert (result.labels.shape, result.labels.dtype.kind) == ((0,), "U")


def test_pixels_are_not_compared_and_not_shown(picture: NDArray[np.uint8]) -> None:
    result = FrameResult((FACE,), (100, 60))

    with_pixels = replace(result, image=picture)

    assert with_pixels == result
    assert hash(with_pixels) == hash(result)
    assert with_pixels.to_dict() == result.to_dict()
    assert repr(with_pixels) == repr(result)


# --- draw


def test_draw_gives_a_new_picture_with_the_face_marked(picture: NDArray[np.uint8]) -> None:
    before = picture.copy()

    drawn = FrameResult((FACE,), (100, 60)).draw(picture)

    assert drawn.shape == picture.shape
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(picture, before)
    changed = (drawn != picture).any(axis=2)
    assert changed[20, 10:50].mean() > 0.9  # upper edge of the box
    assert changed[54, 10:50].mean() > 0.9  # lower edge
    assert changed[20:55, 10].mean() > 0.9  # left edge
    assert changed[20:55, 49].mean() > 0.9  # right edge
    assert not changed[58:].any()
    assert not changed[:, :8].any()


def test_draw_without_faces_gives_a_copy(picture: NDArray[np.uint8]) -> None:
    drawn = FrameResult((), (100, 60)).draw(picture)

    np.testing.assert_array_equal(drawn, picture, strict=True)
    assert not np.shares_memory(drawn, picture)


def test_draw_takes_the_pixels_that_a_result_holds(picture: NDArray[np.uint8]) -> None:
    result = FrameResult((FACE,), (100, 60))
    before = picture.copy()

    drawn = replace(result, image=picture).draw(min_confidence=0.9)

    np.testing.assert_array_equal(drawn, result.draw(picture, min_confidence=0.9), strict=True)
    np.testing.assert_array_equal(picture, before)


def test_draw_without_a_picture_says_that_there_is_none() -> None:
    with pytest.raises(ValueError, match="expected the picture, as this result holds no pixels"):
        FrameResult((FACE,), (100, 60)).draw()


def test_draw_takes_what_the_pipeline_takes(picture: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    Image.fromarray(picture[..., ::-1]).save(path)
    result = FrameResult((FACE,), (100, 60))

    np.testing.assert_array_equal(result.draw(path), result.draw(picture), strict=True)


@pytest.mark.parametrize(
    ("width", "height"),
    [
        pytest.param(50, 30, id="smaller"),
        pytest.param(60, 100, id="on its side"),
        pytest.param(200, 30, id="of as many pixels"),
        pytest.param(200, 120, id="larger"),
    ],
)
def test_draw_refuses_a_picture_of_another_size_and_says_which_it_expected(width: int, height: int) -> None:
    with pytest.raises(
        ValueError, match=f"expected the picture of this result, 100 x 60 pixels, got {width} x {height}"
    ):
        FrameResult((FACE,), (100, 60)).draw(np.zeros((height, width, 3), np.uint8))


def test_draw_shows_an_unsure_face_in_another_colour(picture: NDArray[np.uint8]) -> None:
    result = FrameResult((FACE,), (100, 60))

    sure, unsure = (result.draw(picture, min_confidence=least) for least in (0.8, 0.9))

    np.testing.assert_array_equal(sure, result.draw(picture), strict=True)
    assert (unsure[20, 10:50] != sure[20, 10:50]).any(axis=1).mean() > 0.9


def test_draw_respects_limits(picture: NDArray[np.uint8]) -> None:
    with pytest.raises(ImageTooLarge):
        FrameResult((FACE,), (100, 60)).draw(picture, limits=DecodingLimits(max_pixels=5999))
