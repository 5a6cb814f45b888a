"""The script that measures on a GPU, where there is none: what it says, and its way through on the CPU."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.installed import import_runtime
from maskcheck.runtime.providers import CPU, CUDA
from maskcheck.runtime.session import OnnxSession

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "gpu_check.py"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_check", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "gpu_check", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(CUDA in import_runtime().get_available_providers(), reason="this runtime has CUDA")
def test_without_cuda_it_exits_with_2_and_says_what_to_do(script: ModuleType) -> None:
    result = CliRunner().invoke(script.main, [])

    assert result.exit_code == 2
    assert f"{CUDA} was asked for" in result.stderr
    assert 'pip install "maskcheck[gpu]"' in result.stderr


def test_it_measures_every_way_and_writes_a_report(
    script: ModuleType,
    make_toy_model: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def on_the_cpu(path: Path, _: SessionConfig, **others: Any) -> OnnxSession:
        return OnnxSession(path, SessionConfig(providers=[CPU]), precision=others.get("precision", "auto"))

    monkeypatch.setattr(script, "OnnxSession", on_the_cpu)
    monkeypatch.setattr(script, "BATCH_SIZES", (1, 4))
    monkeypatch.setattr(script, "_SIDE", 16)
    real = importlib.util.find_spec
    monkeypatch.setattr(script, "find_spec", lambda name: None if name.startswith("torch") else real(name))
    report = tmp_path / "gpu.json"

    result = CliRunner().invoke(
        script.main,
        ["--float32", str(make_toy_model()), "--rounds", "2", "--output", str(report)],
        catch_exceptions=False,
    )

    assert result.exit_code == 0
    content = json.loads(report.read_text())
    assert [way["way"] for way in content["ways"]] == ["plain run", "buffers on the device", "CUDA graph", "TensorRT"]
    assert all(way["flips"] == 0 and set(way["batches"]) == {"1", "4"} for way in content["ways"])
    assert content["operations_a_face"] == 2 * 2  # one column of weights for each of two labels
    assert set(content["peak_operations_per_second"]) == {"float32", "float16"}
    assert any("pip install torch torchvision" in reason for reason in content["skipped"])
    assert any("--float16" in reason for reason in content["skipped"])
    assert "buffers on the device" in result.stdout
