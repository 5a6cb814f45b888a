"""The second look: scores that combine, boxes that move, and what a model file says of both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from maskcheck import MaskClassifier, ModelMetadataError, ModelOutputError, ModelSignatureError
from maskcheck.classifier.model import ModelInfo
from maskcheck.classifier.second_look import Combination, absolute_boxes, relative_boxes
from maskcheck.runtime.session import OnnxSession

INFO = ModelInfo(
    labels=("with_mask", "without_mask"),
    input_size=32,
    crop_margin=0.2,
    license="MIT",
    trained_on="drawings",
    created_by="a test",
    second_look={"haar": Combination(least=0.1, weight=0.5, offset=-1.0)},
)


def flat(*colours: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Crops of one colour each, RGB, for the small classifiers."""
    return np.array(colours, np.uint8).reshape(-1, 1, 1, 3).repeat(16, 1).repeat(16, 2)


def test_a_box_is_given_relative_to_the_square_of_its_longer_side() -> None:
    proposal = np.array([[10, 20, 30, 60]], np.float64)  # centre (20, 40), longer side 40
    face = np.array([[20, 30, 40, 70]], np.float64)

    relative = relative_boxes(face, proposal)

    np.testing.assert_allclose(relative, [[10 / 40, 10 / 40, np.log(20 / 40), np.log(40 / 40)]], atol=1e-6)
    np.testing.assert_allclose(absolute_boxes(relative, proposal), face, atol=1e-4)


@pytest.mark.parametrize("relative", [(0.7, 0, 0, 0), (0, -8, 0, 0), (0, 0, 2.5, 0), (0, 0, 0, -4)])
def test_a_place_that_no_proposal_can_be_wrong_by_is_not_believed(relative: tuple[float, ...]) -> None:
    proposals = np.array([[10, 20, 30, 60]] * 2, np.float64)

    moved = absolute_boxes(np.array([relative, (0.1, 0, 0, 0)], np.float32), proposals)

    np.testing.assert_array_equal(moved[0], proposals[0])
    assert moved[1, 0] != proposals[1, 0]


def test_the_combined_score_is_a_logistic_regression_on_both_log_odds() -> None:
    combination = Combination(least=0.1, weight=0.5, offset=-1.0)

    scores = combination.scores(np.array([0.5, 0.8], np.float32), np.array([0.5, 0.9], np.float32))

    odds = np.log(0.9 / 0.1) + 0.5 * np.log(0.8 / 0.2) - 1
    np.testing.assert_allclose(scores, [1 / (1 + np.e), 1 / (1 + np.exp(-odds))], rtol=1e-5)


def test_scores_of_certainty_stay_finite() -> None:
    scores = Combination(least=0.0, weight=1.0, offset=0.0).scores(
        np.array([1, 0], np.float32), np.array([1, 0], np.float32)
    )

    assert scores[0] > 0.999
    assert scores[1] < 0.001


def test_a_file_of_schema_2_says_how_scores_combine() -> None:
    metadata = INFO.to_metadata()

    assert metadata["maskcheck.schema"] == "2"
    assert ModelInfo.from_metadata(metadata, path="m.onnx") == INFO


@pytest.mark.parametrize(
    "content", ["[]", '{"haar": 1}', '{"haar": {"least": 2, "weight": 1, "offset": 0}}', '{"haar": {"least": 0}}']
)
def test_a_damaged_combination_is_refused(content: str) -> None:
    with pytest.raises(ModelMetadataError, match=r"maskcheck\.second_look"):
        ModelInfo.from_metadata({**INFO.to_metadata(), "maskcheck.second_look": content}, path="m.onnx")


# --- The classifier


def test_a_classifier_of_schema_2_says_labels_face_and_box_in_one_run(
    make_toy_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []
    run = OnnxSession.run

    def counted(session: OnnxSession, feeds: Any) -> Any:
        runs.append(len(feeds["faces"]))
        return run(session, feeds)

    monkeypatch.setattr(OnnxSession, "run", counted)
    classifier = MaskClassifier(make_toy_model(second_look=INFO.second_look, place=(0.25, 0, 0.5, 0)), batch_size=2)
    crops = flat((250, 250, 250), (20, 20, 20), (250, 20, 20))

    look = classifier.look(crops)

    assert runs == [2, 1]
    assert classifier.second_look == INFO.second_look
    assert look.probabilities.argmax(axis=1).tolist() == [0, 1, 1]
    assert look.face is not None
    np.testing.assert_allclose(look.face, [0.9526, 0.9526, 0.0], atol=1e-4)
    np.testing.assert_array_equal(look.box, [[0.25, 0, 0.5, 0]] * 3)
    np.testing.assert_array_equal(classifier(crops), look.probabilities)


def test_no_crops_give_a_look_at_nothing(make_toy_model: Callable[..., Path]) -> None:
    look = MaskClassifier(make_toy_model(second_look={})).look(flat())

    assert look.probabilities.shape == (0, 2)
    assert look.face is not None
    assert look.face.shape == (0,)
    assert look.box is not None
    assert look.box.shape == (0, 4)


def test_a_classifier_of_schema_1_says_the_labels_alone(toy_model: Path) -> None:
    classifier = MaskClassifier(toy_model)

    look = classifier.look(flat((250, 250, 250)))

    assert (look.face, look.box, classifier.second_look) == (None, None, None)
    assert look.probabilities.shape == (1, 2)


def drop(name: str) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        model.graph.output.remove(next(output for output in model.graph.output if output.name == name))

    return change


def give(name: str, node: Any, shape: list[Any]) -> Callable[[Any], None]:
    """Have another node give an output."""

    def change(model: Any) -> None:
        drop(name)(model)
        for other in model.graph.node:
            other.output[:] = ["unused" if output == name else output for output in other.output]
        model.graph.node.append(node)
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    return change


@pytest.mark.parametrize(
    "change",
    [
        drop("face"),
        drop("box"),
        give("face", helper.make_node("Sigmoid", ["face_logit"], ["face"]), ["N", 1]),
        give("box", helper.make_node("Identity", ["colour"], ["box"]), ["N", 3]),
    ],
    ids=["no face", "no box", "a column", "three numbers"],
)
def test_schema_2_without_its_outputs_is_refused(
    make_toy_model: Callable[..., Path], change: Callable[[Any], None]
) -> None:
    model = make_toy_model(second_look={})
    changed = onnx.load(model)
    change(changed)
    onnx.save(changed, model)

    with pytest.raises(ModelSignatureError, match=r"face tensor\(float\) \(N\), box tensor\(float\) \(N, 4\)"):
        MaskClassifier(model).warm_up()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (give("face", helper.make_node("Identity", ["face_logits"], ["face"]), ["N"]), "no probability of a face"),
        (give("box", helper.make_node("Log", ["unused"], ["box"]), ["N", 4]), "no box: expected finite"),
        (give("face", helper.make_node("Sigmoid", ["three"], ["face"]), ["N"]), "no probability of a face for each"),
    ],
    ids=["not in [0, 1]", "not finite", "not of each crop"],
)
def test_outputs_that_cannot_be_a_second_look_are_refused_at_every_run(
    make_toy_model: Callable[..., Path], change: Callable[[Any], None], message: str
) -> None:
    model = make_toy_model(second_look={}, place=(-1, -1, -1, -1))
    changed = onnx.load(model)
    change(changed)
    onnx.save(changed, model)
    classifier = MaskClassifier(model)

    for _ in range(2):
        with pytest.raises(ModelOutputError, match=message):
            classifier.look(flat((250, 250, 250), (20, 20, 20)))
