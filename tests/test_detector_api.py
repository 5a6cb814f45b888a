from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from maskcheck import Detections, Detector, DetectorOption, DetectorSpec
from maskcheck.pictures.decoding import BGRImage


def boxes(count: int) -> Any:
    return np.tile(np.array([1, 2, 3, 4], np.float32), (count, 1))


def scores(count: int) -> Any:
    return np.full(count, 0.5, np.float32)


class FindsNothing:
    def detect(self, _image: BGRImage, /) -> Detections:
        return Detections.empty()


# --- Detections


def test_detections_hold_what_they_are_given() -> None:
    landmarks = np.zeros((2, 5, 2), np.float32)

    detections = Detections(boxes(2), scores(2), landmarks)

    assert len(detections) == 2
    assert detections.boxes.tolist() == [[1, 2, 3, 4], [1, 2, 3, 4]]
    assert detections.scores.tolist() == [0.5, 0.5]
    assert detections.landmarks is landmarks


def test_no_detections_have_the_shapes_of_some() -> None:
    none = Detections.empty()

    assert len(none) == 0
    assert none.boxes.shape == (0, 4)
    assert none.boxes.dtype == np.float32
    assert none.scores.shape == (0,)
    assert none.scores.dtype == np.float32
    assert none.landmarks is None


@pytest.mark.parametrize("box", [[-10, -10, 5, 5], [0, 0, 1e6, 1e6], [3, 4, 3, 4]], ids=["before", "after", "no area"])
def test_boxes_may_reach_beyond_the_picture_or_have_no_area(box: list[float]) -> None:
    assert Detections(np.array([box], np.float32), scores(1)).boxes.tolist() == [box]


def test_clipping_cuts_boxes_to_the_picture_and_leaves_out_those_beyond() -> None:
    detections = Detections(
        np.array([[-5, -5, 10, 10], [90, 40, 130, 80], [200, 0, 220, 30], [3, 4, 3, 9]], np.float32),
        np.array([0.9, 0.8, 0.7, 0.6], np.float32),
        np.arange(8, dtype=np.float32).reshape(4, 1, 2),
    ).clipped(100, 60)

    assert detections.boxes.tolist() == [[0, 0, 10, 10], [90, 40, 100, 60]]
    assert detections.scores.tolist() == pytest.approx([0.9, 0.8])
    assert detections.landmarks is not None
    assert detections.landmarks.tolist() == [[[0, 1]], [[2, 3]]]


def test_probabilities_go_with_the_faces() -> None:
    corners = np.array([[0, 0, 5, 5], [20, 0, 30, 9], [3, 4, 8, 9]], np.float32)
    rows = np.array([[1, 0], [0, 1], [0.25, 0.75]], np.float32)

    faces = Detections(corners, scores(3), None, rows).mapped((2, 2), (1, 1)).clipped(30, 30)[np.array([1, 0])]

    assert faces.boxes.tolist() == [[7, 9, 17, 19], [1, 1, 11, 11]]
    assert faces.probabilities is not None
    assert faces.probabilities.tolist() == [[0.25, 0.75], [1, 0]]


def test_some_detections_are_chosen_by_mask_or_indices() -> None:
    detections = Detections(boxes(3), np.array([0.1, 0.3, 0.2], np.float32))

    assert detections[np.array([2, 1])].scores.tolist() == pytest.approx([0.2, 0.3])
    assert detections[detections.scores > 0.15].scores.tolist() == pytest.approx([0.3, 0.2])
    assert len(detections[:0]) == 0


def test_scores_of_exactly_0_and_1_are_allowed() -> None:
    assert len(Detections(boxes(2), np.array([0, 1], np.float32))) == 2


@pytest.mark.parametrize("points", [0, 1, 68])
def test_any_number_of_landmarks_is_allowed(points: int) -> None:
    assert len(Detections(boxes(1), scores(1), np.ones((1, points, 2), np.float32))) == 1


@pytest.mark.parametrize(
    ("arguments", "field", "expected", "got"),
    [
        ((boxes(2).astype(np.float64), scores(2)), "boxes", "float32 of shape (2, 4)", "float64 of shape (2, 4)"),
        ((boxes(2).astype(np.int32), scores(2)), "boxes", "float32 of shape (2, 4)", "int32 of shape (2, 4)"),
        ((boxes(2)[:, :3], scores(2)), "boxes", "float32 of shape (2, 4)", "float32 of shape (2, 3)"),
        ((boxes(1)[0], scores(1)), "boxes", "float32 of shape (1, 4)", "float32 of shape (4,)"),
        ((boxes(3), scores(2)), "boxes", "float32 of shape (2, 4)", "float32 of shape (3, 4)"),
        (([[1, 2, 3, 4]], scores(1)), "boxes", "float32 of shape (1, 4)", "list"),
        ((None, scores(1)), "boxes", "float32 of shape (1, 4)", "NoneType"),
        ((boxes(2), scores(2).astype(np.float64)), "scores", "float32 of shape (2", "float64 of shape (2,)"),
        ((boxes(2), scores(2)[:, None]), "scores", "float32 of shape (", "float32 of shape (2, 1)"),
        ((boxes(1), [0.5]), "scores", "float32 of shape (1", "list"),
        ((boxes(1), None), "scores", "float32 of shape (", "NoneType"),
        (
            (boxes(1), scores(1), np.zeros((1, 5, 2))),
            "landmarks",
            "float32 of shape (1, K, 2)",
            "float64 of shape (1, 5, 2)",
        ),
        (
            (boxes(1), scores(1), np.zeros((1, 10), np.float32)),
            "landmarks",
            "float32 of shape (1, K, 2)",
            "float32 of shape (1, 10)",
        ),
        (
            (boxes(1), scores(1), np.zeros((1, 5, 3), np.float32)),
            "landmarks",
            "float32 of shape (1, K, 2)",
            "float32 of shape (1, 5, 3)",
        ),
        (
            (boxes(1), scores(1), np.zeros((2, 5, 2), np.float32)),
            "landmarks",
            "float32 of shape (1, K, 2)",
            "float32 of shape (2, 5, 2)",
        ),
    ],
)
def test_another_shape_or_type_is_refused_with_what_was_expected_and_what_came(
    arguments: tuple[Any, ...], field: str, expected: str, got: str
) -> None:
    with pytest.raises(ValueError, match=f"^{field}: expected ") as refused:
        Detections(*arguments)

    wanted, came = str(refused.value).split(", got ")
    assert expected in wanted
    assert came == got


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("field", ["boxes", "scores", "landmarks"])
def test_numbers_that_are_not_finite_are_refused(field: str, bad: float) -> None:
    arrays = {"boxes": boxes(2), "scores": scores(2), "landmarks": np.zeros((2, 5, 2), np.float32)}
    arrays[field].flat[-1] = bad

    with pytest.raises(ValueError, match=f"^{field}: expected finite numbers, got NaN or infinity"):
        Detections(**arrays)


@pytest.mark.parametrize(
    ("bad", "got"), [(-0.125, r"-0\.125 to 0\.5"), (1.125, r"0\.5 to 1\.125"), (100, "0.5 to 100")]
)
def test_scores_outside_0_to_1_are_refused_with_their_range(bad: float, got: str) -> None:
    with pytest.raises(ValueError, match=r"^scores: expected \[0, 1\], got " + got):
        Detections(boxes(2), np.array([0.5, bad], np.float32))


@pytest.mark.parametrize("reversed_box", [[5, 0, 4, 9], [0, 5, 9, 4]], ids=["x", "y"])
def test_a_box_whose_corners_are_reversed_is_refused(reversed_box: list[float]) -> None:
    with pytest.raises(ValueError, match=r"^boxes: expected x1 <= x2 and y1 <= y2"):
        Detections(np.array([[0, 0, 1, 1], reversed_box], np.float32), scores(2))


# --- Detector and DetectorSpec


def test_whatever_has_a_method_detect_is_a_detector() -> None:
    assert isinstance(FindsNothing(), Detector)
    assert not isinstance(object(), Detector)


def test_a_spec_says_which_api_it_was_written_for() -> None:
    spec = DetectorSpec("mine", "Finds nothing", FindsNothing, api_version=1)

    assert spec.options == ()
    assert spec.default_min_score == 0
    with pytest.raises(TypeError, match="api_version"):
        DetectorSpec("mine", "Finds nothing", FindsNothing)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"uses_session": True, "api_version": 1}, "uses_session: expected False in version 1"),
        ({"uses_session": 1, "api_version": 2}, "uses_session: expected True or False, got 1"),
        (
            {
                "uses_session": True,
                "options": (DetectorOption("session", str, "", "which"),),
                "api_version": 2,
            },
            "options: expected none named 'session'",
        ),
    ],
    ids=["version 1", "no bool", "option of the same name"],
)
def test_a_session_is_of_version_2_and_no_option(fields: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=rf"^DetectorSpec\.{message}"):
        DetectorSpec("mine", "Finds nothing", FindsNothing, **fields)


# --- DetectorOption


def option(kind: Any, **others: Any) -> DetectorOption:
    return DetectorOption("size", kind, kind(), "a size, in pixels", **others)


@pytest.mark.parametrize(
    ("kind", "given", "parsed"),
    [
        (int, "40", 40),
        (int, " 40 ", 40),
        (int, "-3", -3),
        (int, 40, 40),
        (int, 40.0, 40),
        (int, np.int64(40), 40),
        (float, "1.5", 1.5),
        (float, "1e-3", 0.001),
        (float, 1.5, 1.5),
        (float, 2, 2.0),
        (float, np.float32(1.5), 1.5),
        (str, "text", "text"),
        (str, "", ""),
        (str, 7, "7"),
        (bool, True, True),
        (bool, False, False),
        (bool, 1, True),
        (bool, 0, False),
        (bool, "true", True),
        (bool, "True", True),
        (bool, "YES", True),
        (bool, "1", True),
        (bool, "false", False),
        (bool, "FALSE", False),
        (bool, "No", False),
        (bool, "0", False),
    ],
)
def test_text_and_python_values_become_values_of_the_option(kind: Any, given: Any, parsed: Any) -> None:
    value = option(kind).parse(given)

    assert value == parsed
    assert type(value) is kind


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (int, "many"),
        (int, ""),
        (int, "3.5"),
        (int, 3.5),
        (int, np.float64(3.5)),
        (int, np.float32(3.5)),
        (int, Decimal("3.5")),
        (int, float("nan")),
        (int, float("inf")),
        (int, True),
        (int, None),
        (int, [3]),
        (float, "wide"),
        (float, ""),
        (float, "nan"),
        (float, "inf"),
        (float, float("nan")),
        (float, float("-inf")),
        (float, 10**400),  # which float() answers with OverflowError
        (float, False),
        (float, None),
        (str, True),
        (bool, "maybe"),
        (bool, ""),
        (bool, "2"),
        (bool, 2),
        (bool, None),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else repr(value)[:20],
)
def test_what_is_no_value_of_the_option_is_refused_with_its_type_and_what_came(kind: Any, given: Any) -> None:
    with pytest.raises(ValueError, match=f"^expected {kind.__name__}, got ") as refused:
        option(kind).parse(given)

    assert str(refused.value).endswith(repr(given))


@pytest.mark.parametrize("kind", [int, float])
@pytest.mark.parametrize("inside", ["2", "5", 2, 5, 3])
def test_the_bounds_themselves_are_allowed(kind: Any, inside: Any) -> None:
    assert option(kind, minimum=2, maximum=5).parse(inside) == float(inside)


@pytest.mark.parametrize("kind", [int, float])
@pytest.mark.parametrize("outside", ["1", "6", -2, 6])
def test_a_number_out_of_bounds_is_refused_with_the_bounds(kind: Any, outside: Any) -> None:
    with pytest.raises(ValueError, match=rf"^expected {kind.__name__} >= 2 <= 5, got {outside!r}$"):
        option(kind, minimum=2, maximum=5).parse(outside)


def test_one_bound_leaves_the_other_side_open() -> None:
    assert option(float, minimum=0).parse(1e30) == 1e30
    assert option(float, maximum=0).parse(-1e30) == -1e30
    with pytest.raises(ValueError, match=r"expected float >= 0\.5, got 0\.4"):
        option(float, minimum=0.5).parse(0.4)
    with pytest.raises(ValueError, match=r"expected int <= 3, got 4"):
        option(int, maximum=3).parse(4)


@pytest.mark.parametrize(
    ("kind", "choices", "good", "bad"),
    [(str, ("near", "far"), "far", "between"), (int, (320, 640), "640", "500"), (float, (0.5, 1.0), "1", 0.75)],
)
def test_of_choices_only_these_are_allowed(kind: Any, choices: tuple[Any, ...], good: Any, bad: Any) -> None:
    chosen = option(kind, choices=choices)

    assert chosen.parse(good) == choices[1]
    with pytest.raises(ValueError, match=f"^expected one of {choices[0]}, {choices[1]}, got {bad!r}$"):
        chosen.parse(bad)


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (option(int), "int"),
        (option(bool), "bool"),
        (option(float, minimum=1.01, maximum=2), "float >= 1.01 <= 2"),
        (option(int, minimum=0), "int >= 0"),
        (option(str, choices=("near", "far")), "one of near, far"),
    ],
)
def test_what_is_allowed_is_said_in_words(declared: DetectorOption, words: str) -> None:
    assert declared.allowed == words
