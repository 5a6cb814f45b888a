"""What a model card says of a file's metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from maskcheck.classifier.model import ModelInfo
from maskcheck.classifier.second_look import Combination
from maskcheck_export.conversion.card import model_card

METRICS: dict[str, Any] = {
    "measured_on": "faces kept out",
    "datasets": {"crowd": {"all": {"faces": 5, "accuracy": 0.8, "recall": {"bright": 0.8}}}},
}
INTERVALS = {"crowd": {"all": {"accuracy": [0.3755, 0.9638], "recall": {"bright": [0.3755, 0.9638]}}}}


Make = Callable[..., Path]


@pytest.fixture
def make_model(make_toy_model: Make) -> Make:
    """Makes a model with metrics in its metadata."""

    def make(metrics: Mapping[str, Any], second_look: Mapping[str, Combination] | None = None) -> Path:
        info = ModelInfo(
            labels=("bright", "dark"),
            input_size=16,
            crop_margin=0,
            license="MIT",
            trained_on="nothing",
            created_by="tests",
            metrics=metrics,
            second_look=second_look,
        )
        return make_toy_model(second_look=second_look, metadata=info.to_metadata())

    return make


def test_each_accuracy_and_recall_has_its_interval(make_model: Make) -> None:
    card = model_card(make_model(METRICS | {"intervals": INTERVALS}))

    assert "| crowd | all | 5 | 0.8000 (0.376 to 0.964) | 0.8000 (0.376 to 0.964) |  |" in card
    assert "intervals of 95 %" in card


def test_a_file_of_an_older_version_has_a_card_without_intervals(make_model: Make) -> None:
    card = model_card(make_model(METRICS))

    assert "| crowd | all | 5 | 0.8000 | 0.8000 |  |" in card
    assert "intervals" not in card
    assert "Second look" not in card


def test_the_second_look_is_described_for_each_detector(make_model: Make) -> None:
    figures = {"squares": {"all": {"alone": 0.8, "second_look": 0.9}}}
    combinations = {"squares": Combination(0.1, 0.5, -0.25), "circles": Combination(0.2, 0.3, 0)}

    card = model_card(make_model(METRICS | {"second_look": figures}, combinations))

    assert "`face`: float32 (N,)" in card
    assert "| squares | 0.1 | 0.5 | -0.25 | 0.8000, 0.9000 |" in card
    assert "| circles | 0.2 | 0.3 | 0 |  |" in card
