"""The guide for authors of plugins: its code runs, and its detector passes its tests."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck.hosting.creation import create_classifier, create_detector
from maskcheck.plugins import SessionConfig

GUIDE = (Path(__file__).parents[1] / "plugins" / "README.md").read_text(encoding="utf-8")


def code_with(text: str) -> str:
    """The block of Python code that contains a text."""
    (block,) = [block for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL) if text in block]
    return str(block)


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports the block of code that contains a text, as a module."""

    def load_module(text: str) -> ModuleType:
        path = tmp_path / "maskcheck_guide.py"
        path.write_text(code_with(text), encoding="utf-8")
        spec = spec_from_file_location("maskcheck_guide", path)
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)  # as an import does; dataclasses look there
        spec.loader.exec_module(module)
        return module

    return load_module


def test_the_detector_passes_its_tests_without_a_warning(tmp_path: Path) -> None:
    (tmp_path / "maskcheck_mine.py").write_text(code_with("class MyDetector:"))
    (tmp_path / "test_mine.py").write_text(code_with("class TestMyDetector"))
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(tmp_path)]

    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "MASKCHECK_TEST_DATA": ""},
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_the_network_runs_where_the_session_says_and_can_be_pickled(load: Callable[[str], ModuleType]) -> None:
    (spec,) = load("class MyNetwork:").maskcheck_register_detectors()
    session = SessionConfig("cpu", threads=2)

    detector: Any = create_detector(spec, session=session)

    assert detector.network.path.name == "mine.onnx"
    assert pickle.loads(pickle.dumps(detector)).network.config == session


@pytest.mark.parametrize("count", [0, 2])
def test_the_classifier_gives_a_probability_of_each_label(
    count: int, halves: NDArray[np.uint8], load: Callable[[str], ModuleType]
) -> None:
    (spec,) = load("class Brightness").maskcheck_register_classifiers()
    classifier = create_classifier(spec)
    boxes = np.array([[0, 0, 40, 40], [60, 0, 100, 40]], np.float64)[:count]

    rows = classifier(classifier.crop(halves, boxes))

    assert rows.dtype == np.float32
    assert rows.tolist() == [[1, 0], [0, 1]][:count]
