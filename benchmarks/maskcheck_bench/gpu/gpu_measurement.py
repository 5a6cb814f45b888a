"""Measures the classifier and the peak of a GPU."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from maskcheck import MaskClassifier, __version__
from maskcheck.classifier.drawn_crops import draw_crops
from maskcheck.classifier.model import find_model
from maskcheck.pictures.crops import Crops
from maskcheck.runtime.binding import BOUND
from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.installed import import_runtime
from maskcheck.runtime.precision import Precision
from maskcheck.runtime.providers import CPU, CUDA
from maskcheck.runtime.session import OnnxSession
from maskcheck_bench.gpu.network_runs import NetworkRun, load_onnx_runs, load_torch_runs
from maskcheck_bench.measuring.machine import describe_machine
from maskcheck_bench.measuring.timing import time_once
from maskcheck_bench.scenarios.limits.graph_cost import graph_cost
from maskcheck_bench.scenarios.limits.products import make_product, product_operations

BATCH_SIZES = (1, 8, 32, 128)

_LEAST_RUNS = 5  # of the largest batch in a round; smaller batches run more often
_SIDE = 8192  # of the matrices that are multiplied
_PRODUCTS = 20


def measure_gpu(float32: str | None, float16: str | None, rounds: int) -> dict[str, Any]:
    """Time every way to run the network, and say how many labels each gives that differ from those on the CPU.

    Args:
        float32: Path of the model; None for the embedded model, computed in float.
        float16: Path of the same model in float16; None to leave it out.
        rounds: How often each way has its turn.

    Returns:
        The report, as JSON-ready values.

    Raises:
        MaskCheckError: CUDA is not active, or a model cannot be loaded.
    """
    path = find_model(float32)
    _ = OnnxSession(path, SessionConfig(device="cuda")).session  # raises, and says what to do, if CUDA is not active
    stored = MaskClassifier(path, providers=[CPU], precision="stored")
    precision: Precision = "float32" if stored.info.precision == "int8" else "stored"
    crops = draw_crops(max(BATCH_SIZES), stored.info.input_size)
    expected = MaskClassifier(path, providers=[CPU], precision=precision)(crops).argmax(axis=1)

    skipped: list[str] = []
    runs = list(load_onnx_runs(path, "float32", precision, skipped))
    if float16:
        runs += load_onnx_runs(find_model(float16), "float16", "stored", skipped)
    else:
        skipped.append("float16: give a file by --float16 (`maskcheck-export convert` writes it)")
    runs += load_torch_runs(stored.info.input_size, len(stored.labels), skipped)

    operations = 2 * graph_cost(onnx.load(path)).multiply_adds
    peaks = {name: _measure_peak(kind) for name, kind in (("float32", np.float32), ("float16", np.float16))}
    rows = []
    for run, times in zip(runs, _time(runs, crops, rounds), strict=True):
        batches = {str(size): _summarize(size, milliseconds) for size, milliseconds in times.items()}
        best = max(batch["faces_per_second"] for batch in batches.values())
        flips = float((run.classify(crops).argmax(axis=1) != expected).mean()) if run.comparable else None
        share = best * operations / peaks[run.arithmetic] if run.comparable else None
        rows.append(
            {
                "way": run.name,
                "arithmetic": run.arithmetic,
                "flips": flips,
                "share_of_peak": share,
                "batches": batches,
            }
        )
    return {
        "schema": "maskcheck-gpu-check/2",
        "machine": {**describe_machine(), "gpu": _gpu_name()},
        "versions": {"maskcheck": __version__, "onnxruntime": import_runtime().__version__},
        "model": path.name,
        "model_sha256": stored.sha256,
        "crops": len(crops),
        "operations_a_face": operations,
        "peak_operations_per_second": peaks,
        "ways": rows,
        "skipped": skipped,
    }


def _time(runs: Sequence[NetworkRun], crops: Crops, rounds: int) -> list[dict[int, list[float]]]:
    """For each way, milliseconds of each run by batch size. The ways take turns, in another order each round."""
    generator = np.random.default_rng(0)
    times: list[dict[int, list[float]]] = [{size: [] for size in BATCH_SIZES} for _ in runs]
    for turn in range(rounds + 1):
        for size in BATCH_SIZES:
            batch = np.ascontiguousarray(crops[:size])
            for number in generator.permutation(len(runs)):
                for _ in range(_LEAST_RUNS * math.ceil(math.sqrt(max(BATCH_SIZES) / size))):
                    milliseconds = time_once(partial(runs[number].classify, batch))
                    if turn > 0:  # the first round warms up
                        times[number][size].append(milliseconds)
    return times


def _summarize(size: int, times: Sequence[float]) -> dict[str, float]:
    middle = float(np.median(times))
    return {
        "runs": len(times),
        "milliseconds": round(middle, 4),
        "milliseconds_p95": round(float(np.percentile(times, 95)), 4),
        "faces_per_second": round(size / middle * 1000, 1),
    }


def _measure_peak(kind: type[np.floating[Any]]) -> float:
    """Floating point operations a second of a large matrix product, in the best of several runs."""
    element = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "product.onnx"
        onnx.save(make_product("MatMul", ["a", "b"], _SIDE, element, element), path)
        session = OnnxSession(path, SessionConfig(providers=[CUDA])).session
    device = "cuda" if session.get_providers()[0] in BOUND else "cpu"
    matrix = np.random.default_rng(0).standard_normal((_SIDE, _SIDE), np.float32).astype(kind)
    value = import_runtime().OrtValue.ortvalue_from_numpy(matrix, device, 0)
    binding = session.io_binding()
    binding.bind_ortvalue_input("a", value)
    binding.bind_ortvalue_input("b", value)
    binding.bind_output("c", device)
    best = min(time_once(lambda: session.run_with_iobinding(binding)) for _ in range(_PRODUCTS))
    return product_operations(_SIDE) / best * 1000


def _gpu_name() -> str | None:
    for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):  # Linux with NVIDIA's driver
        model = re.search(r"^Model:\s*(.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        if model:
            return model[1].strip()
    return None
