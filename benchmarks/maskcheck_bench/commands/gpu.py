"""``maskcheck-bench gpu``: the classifier on an NVIDIA GPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from maskcheck.commands.console import console
from maskcheck.commands.group import require_extra


@click.command()
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the report as JSON.")
@click.option("--float32", type=click.Path(), help="The model.  [default: the embedded model, computed in float]")
@click.option("--float16", type=click.Path(), help="The same model in float16.  [default: left out]")
@click.option("--rounds", type=click.IntRange(2), default=20, show_default=True, help="Turns of each way to run it.")
def gpu(output: Path | None, float32: str | None, float16: str | None, rounds: int) -> None:
    """Measure the classifier on an NVIDIA GPU.

    Times are from crops in the host's memory to probabilities there: plain runs, buffers on the device, CUDA graphs and
    TensorRT, in float32 and float16. Beside them stand the GPU's own peak, by a large matrix product, and PyTorch's
    InceptionV3. ONNX Runtime and PyTorch both compute float32 in TF32 where the GPU has it. An int8 file that is
    computed in float still rounds between its layers, which costs time: give the float32 file too. Exit status 2 if
    CUDA is not active.
    """
    require_extra("gpu,bench", "onnx", "psutil")

    from maskcheck_bench.gpu.gpu_measurement import measure_gpu

    report = measure_gpu(float32, float16, rounds)
    if output:
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _print(report)


def _print(report: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("way", "arithmetic"):
        table.add_column(name)
    for name in (*(f"faces/s, {size}" for size in report["ways"][0]["batches"]), "ms, 1", "p95", "flips", "of peak"):
        table.add_column(name, justify="right")
    for row in report["ways"]:
        single = row["batches"]["1"]
        table.add_row(
            row["way"],
            row["arithmetic"],
            *(f"{batch['faces_per_second']:.0f}" for batch in row["batches"].values()),
            f"{single['milliseconds']:.2f}",
            f"{single['milliseconds_p95']:.2f}",
            "-" if row["flips"] is None else f"{row['flips']:.1%}",
            "-" if row["share_of_peak"] is None else f"{row['share_of_peak']:.1%}",
        )
    console().print(table)
    for name, peak in report["peak_operations_per_second"].items():
        console().print(f"peak, {name}: {peak / 1e12:.1f} Tflop/s")
    for reason in report["skipped"]:
        console().print(f"skipped: {reason}", markup=False)
