"""``maskcheck-bench gpu`` on a machine without a GPU: its message, and a whole measurement on the CPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.installed import import_runtime
from maskcheck.runtime.providers import CPU, CUDA
from maskcheck.runtime.session import OnnxSession
from maskcheck_bench.commands import main
from maskcheck_bench.gpu import gpu_measurement, network_runs
from maskcheck_bench.measuring.outcome import describe_missing


@pytest.mark.skipif(CUDA in import_runtime().get_available_providers(), reason="this runtime has CUDA")
def test_without_cuda_it_exits_with_2_and_says_what_to_do() -> None:
    result = CliRunner().invoke(main, ["gpu"])

    assert result.exit_code == 2
    assert f"{CUDA} was requested" in result.stderr
    assert 'pip install "maskcheck[gpu]"' in result.stderr


def test_it_measures_every_way_and_writes_a_report(
    make_toy_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_the_cpu(path: Path, _: SessionConfig, **others: Any) -> OnnxSession:
        return OnnxSession(path, SessionConfig(providers=[CPU]), precision=others.get("precision", "auto"))

    def without_torch(packages: dict[str, str]) -> str:
        return describe_missing({f"no_such_{module}": package for module, package in packages.items()})

    monkeypatch.setattr(gpu_measurement, "OnnxSession", on_the_cpu)
    monkeypatch.setattr(network_runs, "OnnxSession", on_the_cpu)
    monkeypatch.setattr(network_runs, "describe_missing", without_torch)
    monkeypatch.setattr(gpu_measurement, "BATCH_SIZES", (1, 4))
    monkeypatch.setattr(gpu_measurement, "_SIDE", 16)
    path = tmp_path / "gpu.json"

    result = CliRunner().invoke(
        main,
        ["gpu", "--float32", str(make_toy_model()), "--rounds", "2", "--output", str(path)],
        catch_exceptions=False,
    )

    assert result.exit_code == 0
    report = json.loads(path.read_text())
    assert [way["way"] for way in report["ways"]] == ["plain run", "buffers on the device", "CUDA graph", "TensorRT"]
    assert all(way["flips"] == 0 and set(way["batches"]) == {"1", "4"} for way in report["ways"])
    assert report["operations_a_face"] == 2 * 2  # one column of weights for each of two labels
    assert set(report["peak_operations_per_second"]) == {"float32", "float16"}
    assert any("pip install torch torchvision" in reason for reason in report["skipped"])
    assert any("--float16" in reason for reason in report["skipped"])
    assert "buffers on the device" in result.stdout
