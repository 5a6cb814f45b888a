"""What a model computes stays within ``max_memory``; each test in a process of its own, because the limit is one's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from maskcheck import MaskClassifier

START = """
import sys
import numpy as np
from maskcheck import MaskCheckError, MaskClassifier

def result(path, **options):
    try:
        return MaskClassifier(path, device="cpu", **options)(np.zeros((2, 16, 16, 3), np.uint8)).shape
    except MaskCheckError as error:
        return " ".join(f"{type(error).__name__}: {error}".split())
"""


def run(code: str, *paths: Path) -> list[str]:
    arguments = [sys.executable, "-c", START + code, *map(str, paths)]
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.fixture
def greedy_model(make_toy_model: Callable[..., Path]) -> Path:
    """A classifier that computes its probabilities by way of a gigabyte of ones."""
    path = make_toy_model("greedy.onnx")
    model = onnx.load(path)
    graph = model.graph
    graph.node[-1].output[0] = "plain"
    graph.initializer.append(helper.make_tensor("side", TensorProto.INT64, [1], [250_000_000]))
    graph.initializer.append(helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]))
    graph.node.append(helper.make_node("Expand", ["one", "side"], ["much"]))
    graph.node.append(helper.make_node("ReduceMax", ["much"], ["most"], keepdims=0))
    graph.node.append(helper.make_node("Mul", ["plain", "most"], ["probabilities"]))
    onnx.save(model, path)
    return path


def test_a_run_that_needs_more_memory_fails_and_others_go_on(greedy_model: Path, toy_model: Path) -> None:
    greedy, small = run(
        "for path in sys.argv[1:]: print(result(path, max_memory=100_000_000))",
        greedy_model,
        toy_model,
    )
    assert greedy.startswith(("RuntimeUnavailable: ONNX Runtime failed while running greedy.onnx", "ModelError: "))
    assert small == "(2, 2)"


def test_all_classifiers_of_a_process_have_the_same_limit(toy_model: Path) -> None:
    first, same, other = run(
        "for most in (50_000_000, 50_000_000, 60_000_000): print(result(sys.argv[1], max_memory=most))", toy_model
    )
    assert first == same == "(2, 2)"
    assert other.startswith("RuntimeUnavailable: max_memory: this process has a limit of 50000000 bytes")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_is_refused_instead_of_hanging(toy_model: Path) -> None:
    code = """
import os
print(result(sys.argv[1], max_memory=50_000_000), flush=True)
if os.fork() == 0:
    print(result(sys.argv[1], max_memory=50_000_000), result(sys.argv[1]), flush=True)
    os._exit(0)
os.wait()
"""
    parent, child = run(code, toy_model)
    assert parent == "(2, 2)"
    assert child == "RuntimeUnavailable: max_memory cannot be used after a fork; start the process by spawn (2, 2)"


@pytest.mark.parametrize("most", [0, -1, 1000])
def test_a_limit_in_which_nothing_runs_is_refused(toy_model: Path, most: int) -> None:
    with pytest.raises(ValueError, match="max_memory: expected 10000000 bytes or more"):
        MaskClassifier(toy_model, max_memory=most)


def test_results_are_the_same(toy_model: Path) -> None:
    crops = np.random.default_rng(0).integers(0, 255, (5, 16, 16, 3), np.uint8)
    code = """
crops = np.random.default_rng(0).integers(0, 255, (5, 16, 16, 3), np.uint8)
print(MaskClassifier(sys.argv[1], device="cpu", max_memory=50_000_000)(crops).tobytes().hex())
"""
    assert run(code, toy_model) == [MaskClassifier(toy_model, device="cpu")(crops).tobytes().hex()]
