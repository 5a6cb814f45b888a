"""``maskcheck info``: a page that a person can read, whatever the metadata of the model file contains."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from maskcheck import ModelInfo
from maskcheck.classifier.second_look import Combination
from maskcheck.commands import main


def run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(main, ["info", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done.stdout


@pytest.fixture
def page(make_toy_model: Callable[..., Path]) -> Callable[..., str]:
    """The page for a model with this metadata."""

    def show(metrics: Any = None, **values: Any) -> str:
        told: dict[str, Any] = {
            "labels": ("bright", "dark"),
            "input_size": 16,
            "crop_margin": 0.2,
            "license": "MIT",
            "trained_on": "nothing: weights set by hand",
            "created_by": "tests",
            "metrics": metrics or {},
        }
        return run(make_toy_model(metadata=ModelInfo(**(told | values)).to_metadata()))

    return show


def rows(text: str) -> list[list[str]]:
    """The words of each line."""
    return [line.split() for line in text.splitlines()]


def test_the_embedded_model_fits_a_page_and_has_no_json() -> None:
    text = run()

    assert len(text.splitlines()) < 60
    assert not set('{}"') & set(text)
    assert "22.5 MB" in text
    assert "390403c01cfd81471de01a52908d11596e4790a1d9721a3dc3fee349daecfe79" in text
    assert "with_mask, without_mask, mask_worn_incorrectly" in text
    assert "128 x 128 pixels" in text


def test_the_small_model_is_shown_by_its_name() -> None:
    assert json.loads(run("small", "--json"))["file"] == "mask-mobilenetv2-96-int8.onnx"


def test_the_embedded_models_accuracy_is_a_table_with_a_row_a_data_set() -> None:
    metrics = json.loads(run("--json"))["metrics"]["datasets"]

    text = rows(run())

    for name, sizes in metrics.items():
        for size, values in sizes.items():
            row = [name + ",", size, str(values["faces"]), f"{values['accuracy']:.4f}"]
            assert row + [f"{recall:.4f}" for recall in values["recall"].values()] in text


def test_json_contains_everything(make_toy_model: Callable[..., Path]) -> None:
    content = json.loads(run(make_toy_model(), "--json"))

    assert content["schema"] == "maskcheck-info/1"
    assert content["labels"] == ["bright", "dark"]
    assert set(content) >= {"file", "megabytes", "sha256", "input_size", "crop_margin", "license", "metrics"}


def test_the_page_and_the_json_say_for_which_detectors_there_is_a_second_look(
    make_toy_model: Callable[..., Path],
) -> None:
    known = make_toy_model(second_look={"haar": Combination(0.1, 0.5, -1.0), "yunet": Combination(0.2, 0.4, 0.0)})

    assert "at what these detectors propose: haar, yunet" in run(known)
    combination = {"least": 0.1, "weight": 0.5, "offset": -1.0}
    assert json.loads(run(known, "--json"))["second_look"]["haar"] == combination
    assert "none: it labels every box" in run(make_toy_model())


def test_single_values_are_facts(page: Callable[..., str]) -> None:
    text = rows(page({"calibration_error": 0.00761, "checked": True, "by": ["a", "b"], "graph": {"nodes": 552}}))

    assert ["calibration", "error", "0.0076"] in text
    assert ["checked", "yes"] in text
    assert ["by", "a,", "b"] in text
    assert ["graph", "nodes", "552"] in text


def test_a_missing_value_leaves_its_cell_empty(page: Callable[..., str]) -> None:
    text = page({"sets": {"a": {"faces": 10, "recall": {"bright": 0.5}}, "b": {"faces": 20}}})

    assert ["sets", "faces", "recall", "bright"] in rows(text)
    assert ["a", "10", "0.5000"] in rows(text)
    assert ["b", "20"] in rows(text)


def test_a_wide_table_is_only_in_the_json(page: Callable[..., str]) -> None:
    text = page({"candidates": [{f"value {number}": number for number in range(12)}] * 3})

    assert "candidates: 3 entries of 12 values each; --json shows them" in text


@pytest.mark.parametrize(
    "metrics",
    [
        pytest.param({}, id="none"),
        pytest.param({"a": None, "b": [], "c": {}, "d": "", "": 1}, id="empty values"),
        pytest.param({"a": [1, {"b": 2}, [3]]}, id="mixed list"),
        pytest.param({"a": {"b": 1, "c": {"d": {"e": 2}}}}, id="values at several depths"),
        pytest.param({"a": {"b": {}, "c": []}}, id="branches without leaves"),
        pytest.param({"a": [[{"b": 1}]]}, id="lists in lists"),
        pytest.param({"a": 10**300, "b": 1e-300, "c": -0.0, "d": False}, id="numbers"),
    ],
)
def test_metrics_of_any_shape_are_shown(page: Callable[..., str], metrics: dict[str, Any]) -> None:
    assert "bright, dark" in page(metrics)


def test_metrics_at_any_depth_are_shown(page: Callable[..., str]) -> None:
    deep: Any = 7
    for _ in range(15):
        deep = {"in": deep}

    assert "7" in page({"deep": deep})


@pytest.mark.parametrize(
    "metrics",
    [
        pytest.param({str(number): number for number in range(5000)}, id="values"),
        pytest.param({"sets": {str(number): {"faces": number} for number in range(5000)}}, id="rows"),
        pytest.param({str(number): {"a": {"b": number}} for number in range(5000)}, id="tables"),
        pytest.param({"text": "long " * 20_000}, id="text"),
        pytest.param({"list": list(range(50_000))}, id="list"),
    ],
)
def test_the_page_is_limited_and_says_what_it_leaves_out(page: Callable[..., str], metrics: dict[str, Any]) -> None:
    text = page(metrics)

    assert len(text.splitlines()) < 200
    assert len(text) < 30_000
    assert "more" in text or "characters" in text


def test_text_of_the_file_is_shown_literally(page: Callable[..., str]) -> None:
    hostile = "[red]C:\\[2020]\x1b[31m\x9b2J\u202e :smile:"
    shown = "[red]C:\\[2020]\\x1b[31m\\x9b2J\\u202e :smile:"
    surrogate = f"{hostile} \ud800"  # JSON can hold it

    text = page(
        {"sets": {surrogate: {"faces": 1, "by": surrogate}}, "of": surrogate}, license=hostile, trained_on=hostile
    )

    assert text.count(shown) == 5
    assert text.count(f"{shown} \\ud800") == 3
    assert not {"\x1b", "\x9b", "\u202e", "\ud800"} & set(text)
