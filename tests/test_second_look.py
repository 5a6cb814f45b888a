"""The second look: scores that combine, boxes that move, and what a model file says of both."""

from __future__ import annotations

import numpy as np
import pytest

from maskcheck import ModelMetadataError
from maskcheck.classifier.model import ModelInfo
from maskcheck.classifier.second_look import Combination, absolute_boxes, relative_boxes

INFO = ModelInfo(
    labels=("with_mask", "without_mask"),
    input_size=32,
    crop_margin=0.2,
    license="MIT",
    trained_on="drawings",
    created_by="a test",
    second_look={"haar": Combination(least=0.1, weight=0.5, offset=-1.0)},
)


def test_a_box_is_given_relative_to_the_square_of_its_longer_side() -> None:
    proposal = np.array([[10, 20, 30, 60]], np.float64)  # centre (20, 40), longer side 40
    face = np.array([[20, 30, 40, 70]], np.float64)

    relative = relative_boxes(face, proposal)

    np.testing.assert_allclose(relative, [[10 / 40, 10 / 40, np.log(20 / 40), np.log(40 / 40)]], atol=1e-6)
    np.testing.assert_allclose(absolute_boxes(relative, proposal), face, atol=1e-4)


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
