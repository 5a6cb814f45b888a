"""What there is to know of an NVIDIA GPU, in one call: ``python benchmarks/gpu_check.py --output gpu.json``.

Times the classifier in float32 and float16: by a plain run, with buffers on the device, with CUDA graphs, and by
TensorRT where it is active; beside it the chip's own peak, by a large matrix product, and PyTorch's InceptionV3 on the
same card. Says of each how many labels differ from those on the CPU. Times are from crops in the host's memory to
probabilities there. ONNX Runtime and PyTorch both compute float32 in TF32 where the chip has it.

An int8 file computed in float still rounds between its layers, which costs a GPU time: give the float32 file too.

Needs ``pip install "maskcheck[gpu]" onnx``, and torch and torchvision for the comparison with PyTorch. Exit status 2
where CUDA is not active.
"""

from __future__ import annotations

import json
import math
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, TypeAlias

import click
import numpy as np
from numpy.typing import NDArray

from maskcheck import MaskCheckError, MaskClassifier, __version__
from maskcheck.classifier.execution import describe_machine
from maskcheck.classifier.model import INPUT_NAME, find_model
from maskcheck.classifier.tuning import draw_crops
from maskcheck.pictures.crops import Crops
from maskcheck.runtime.binding import BOUND, BoundRunner
from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.installed import import_runtime
from maskcheck.runtime.providers import CPU, CUDA, TENSORRT, Provider
from maskcheck.runtime.session import OnnxSession, Precision

Run: TypeAlias = Callable[[Crops], NDArray[np.float32]]

CANNOT_RUN = 2
BATCH_SIZES = (1, 8, 32, 128)

_CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC"}
_LEAST_RUNS = 5  # in one round, at the largest batch; smaller batches get as many faces
_SIDE = 8192  # of the matrices that are multiplied


@dataclass(frozen=True)
class Way:
    """One way of running the network.

    Attributes:
        name: What it is called in the report.
        arithmetic: ``float32`` or ``float16``.
        run: From crops to probabilities.
        comparable: Whether it has the weights of the model, so that its labels can be compared.
    """

    name: str
    arithmetic: str
    run: Run
    comparable: bool = True


@click.command()
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the report as JSON.")
@click.option("--float32", "float32", type=click.Path(), help="Model.  [default: the embedded one, computed in float]")
@click.option("--float16", "float16", type=click.Path(), help="The same model in float16.  [default: left out]")
@click.option(
    "--rounds", type=click.IntRange(2), default=20, show_default=True, help="How often each way has its turn."
)
def main(output: Path | None, float32: str | None, float16: str | None, rounds: int) -> None:
    """Measure the classifier on the GPU."""
    try:
        report = _measure(float32, float16, rounds)
    except MaskCheckError as error:
        click.echo(f"gpu_check: {error}", err=True)
        sys.exit(CANNOT_RUN)
    _print(report)
    if output:
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _measure(float32: str | None, float16: str | None, rounds: int) -> dict[str, Any]:
    path = find_model(float32)
    _ = OnnxSession(path, SessionConfig(device="cuda")).session  # raises, and says what to do, where CUDA is not active
    stored = MaskClassifier(path, providers=[CPU], precision="stored")
    reference = MaskClassifier(path, providers=[CPU], precision=_in_float(stored.info.precision))
    crops = draw_crops(max(BATCH_SIZES), stored.info.input_size)
    expected = reference(crops).argmax(axis=1)

    skipped: list[str] = []
    ways = list(_onnx_ways(path, "float32", _in_float(stored.info.precision), skipped))
    if float16:
        ways += _onnx_ways(find_model(float16), "float16", "stored", skipped)
    else:
        skipped.append("float16: give a file by --float16 (`maskcheck-export convert` writes one)")
    ways += _torch_ways(stored.info.input_size, len(stored.labels), skipped)

    flips = [float((way.run(crops).argmax(axis=1) != expected).mean()) if way.comparable else None for way in ways]
    times = _time(ways, crops, rounds)
    operations = _count_operations(path, skipped)
    peaks = _measure_peaks(skipped)
    rows = []
    for way, differing, by_size in zip(ways, flips, times, strict=True):
        batches = {str(size): _summarize(size, measured) for size, measured in by_size.items()}
        peak, best = peaks.get(way.arithmetic), max(one["faces_per_second"] for one in batches.values())
        share = best * operations / peak if operations and peak and way.comparable else None
        rows.append(
            {
                "way": way.name,
                "arithmetic": way.arithmetic,
                "flips": differing,
                "share_of_peak": share,
                "batches": batches,
            }
        )
    return {
        "schema": "maskcheck-gpu-check/1",
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


def _in_float(stored: str) -> Precision:
    return "float32" if stored == "int8" else "stored"


# --- Ways of running the network


def _onnx_ways(path: Path, arithmetic: str, precision: Precision, skipped: list[str]) -> Iterator[Way]:
    cuda: list[Provider] = [(CUDA, _CUDA_OPTIONS), CPU]
    graph: list[Provider] = [(CUDA, {**_CUDA_OPTIONS, "enable_cuda_graph": "1"}), CPU]
    tensorrt: list[Provider] = [(TENSORRT, {"trt_fp16_enable": str(arithmetic == "float16")}), *cuda]
    plain = OnnxSession(path, SessionConfig(providers=cuda), precision=precision)
    yield Way("plain run", arithmetic, lambda crops: plain.run({INPUT_NAME: crops})[0])
    for name, providers in (("buffers on the device", cuda), ("CUDA graph", graph), ("TensorRT", tensorrt)):
        session = OnnxSession(path, SessionConfig(providers=providers), precision=precision)
        try:
            runner = BoundRunner(session)
            runner.run(draw_crops(1, session.session.get_inputs()[0].shape[1]))
        except MaskCheckError as error:  # this way does not work here; the others go on
            skipped.append(f"{name}, {arithmetic}: {error}")
        else:
            yield Way(name, arithmetic, runner.run)


def _torch_ways(size: int, labels: int, skipped: list[str]) -> Iterator[Way]:
    missing = [name for name in ("torch", "torchvision") if find_spec(name) is None]
    if missing:
        skipped.append(f"PyTorch: not installed: {', '.join(missing)}; pip install torch torchvision")
        return
    torch, models = import_module("torch"), import_module("torchvision.models")
    if not torch.cuda.is_available():
        skipped.append("PyTorch: this build of torch does not see the GPU")
        return
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True  # as ONNX Runtime does
    for arithmetic, kind in (("float32", torch.float32), ("float16", torch.float16)):
        network = models.inception_v3(weights=None, init_weights=False, aux_logits=False, num_classes=labels).eval()
        network = network.to("cuda", kind, memory_format=torch.channels_last)

        def run(crops: Crops, network: Any = network, kind: Any = kind) -> NDArray[np.float32]:
            with torch.inference_mode():
                pixels = torch.from_numpy(crops).to("cuda").permute(0, 3, 1, 2).to(kind) / 127.5 - 1
                return np.asarray(network(pixels).float().softmax(dim=1).cpu().numpy(), np.float32)

        run(draw_crops(1, size))
        yield Way(f"PyTorch {version('torch')}, random weights", arithmetic, run, comparable=False)


# --- Measuring


def _time(ways: Sequence[Way], crops: Crops, rounds: int) -> list[dict[int, list[float]]]:
    """Seconds of each run, for each way and batch size. The ways take turns, in another order each round."""
    generator = np.random.default_rng(0)
    times: list[dict[int, list[float]]] = [{size: [] for size in BATCH_SIZES} for _ in ways]
    for turn in range(rounds + 1):
        for size in BATCH_SIZES:
            batch = np.ascontiguousarray(crops[:size])
            for number in generator.permutation(len(ways)):
                for _ in range(_LEAST_RUNS * math.ceil(math.sqrt(max(BATCH_SIZES) / size))):
                    started = perf_counter()
                    ways[number].run(batch)
                    if turn > 0:  # the first round warms up
                        times[number][size].append(perf_counter() - started)
    return times


def _summarize(size: int, seconds: Sequence[float]) -> dict[str, float]:
    middle = median(seconds)
    return {
        "runs": len(seconds),
        "milliseconds": round(middle * 1000, 4),
        "milliseconds_p95": round(float(np.percentile(seconds, 95)) * 1000, 4),
        "faces_per_second": round(size / middle, 1),
    }


def _measure_peaks(skipped: list[str]) -> dict[str, float]:
    """Floating point operations per second of a large matrix product, by arithmetic."""
    if find_spec("onnx") is None:
        skipped.append("peak of the chip: not installed: onnx; pip install onnx")
        return {}
    return {name: _multiply(kind, CUDA, _SIDE) for name, kind in (("float32", np.float32), ("float16", np.float16))}


def _multiply(kind: Any, provider: str, side: int, *, rounds: int = 20) -> float:
    onnx = import_module("onnx")
    element, shape = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind)), [side, side]
    names = [onnx.helper.make_tensor_value_info(name, element, shape) for name in ("a", "b", "c")]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["a", "b"], ["c"])], "product", names[:2], names[2:]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "product.onnx"
        onnx.save(model, path)
        session = OnnxSession(path, SessionConfig(providers=[provider])).session
    device = "cuda" if session.get_providers()[0] in BOUND else "cpu"
    matrix = np.random.default_rng(0).standard_normal(shape, np.float32).astype(kind)
    value = import_runtime().OrtValue.ortvalue_from_numpy(matrix, device, 0)
    binding = session.io_binding()
    binding.bind_ortvalue_input("a", value)
    binding.bind_ortvalue_input("b", value)
    binding.bind_output("c", device)
    seconds = []
    for _ in range(rounds):
        started = perf_counter()
        session.run_with_iobinding(binding)
        seconds.append(perf_counter() - started)
    return float(2 * side**3 / min(seconds))


def _count_operations(path: Path, skipped: list[str]) -> int | None:
    """Floating point operations for one face: two for each multiplication in convolutions and matrix products."""
    if find_spec("onnx") is None:
        skipped.append("share of the peak: not installed: onnx; pip install onnx")
        return None
    onnx = import_module("onnx")
    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    shapes = {one.name: list(one.dims) for one in graph.initializer}
    for one in (*graph.value_info, *graph.output):
        shapes[one.name] = [side.dim_value for side in one.type.tensor_type.shape.dim]
    total = 0
    for node in graph.node:
        if node.op_type in ("Conv", "MatMul", "Gemm"):
            weights, result = shapes[node.input[1]], shapes[node.output[0]]
            # Of each output value: the weights of its channel, or as many as the product's common side.
            each = math.prod(weights[1:]) if node.op_type == "Conv" else math.prod(weights) // result[-1]
            total += 2 * each * math.prod(result[1:])
    return total


def _gpu_name() -> str | None:
    for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):  # Linux, and only where a driver is
        found = re.search(r"^Model:\s*(.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return found[1].strip()
    return None


# --- Showing


def _print(report: dict[str, Any]) -> None:
    from rich.table import Table

    from maskcheck.commands.console import console

    table = Table(box=None, pad_edge=False)
    for name in ("way", "arithmetic"):
        table.add_column(name)
    for name in (*(f"faces/s, {size}" for size in BATCH_SIZES), "ms, 1", "p95", "flips", "of peak"):
        table.add_column(name, justify="right")
    for row in report["ways"]:
        batches = row["batches"]
        table.add_row(
            row["way"],
            row["arithmetic"],
            *(f"{batches[str(size)]['faces_per_second']:.0f}" for size in BATCH_SIZES),
            f"{batches['1']['milliseconds']:.2f}",
            f"{batches['1']['milliseconds_p95']:.2f}",
            "-" if row["flips"] is None else f"{row['flips']:.1%}",
            "-" if row["share_of_peak"] is None else f"{row['share_of_peak']:.1%}",
        )
    console().print(table)
    for name, peak in report["peak_operations_per_second"].items():
        console().print(f"peak, {name}: {peak / 1e12:.1f} Tflop/s")
    for reason in report["skipped"]:
        console().print(f"skipped: {reason}", markup=False)


if __name__ == "__main__":
    main()
