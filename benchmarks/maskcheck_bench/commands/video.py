"""``maskcheck-bench video``: a video of many faces, and an hour of frames."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from maskcheck.commands.console import console
from maskcheck.commands.group import require_extra
from maskcheck_bench.commands.arguments import read_detector

_PARTS = ("speed", "costs", "memory")


@click.command()
@click.argument("video", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--part", "parts", type=click.Choice(_PARTS), multiple=True, help="Measure only this; repeat.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the report as JSON.")
@click.option(
    "--detector",
    "detectors",
    metavar="NAME[,PRESET]",
    multiple=True,
    default=("yunet,fast", "centerface,fast"),
    show_default=True,
    help="Repeat.",
)
@click.option("--rounds", type=click.IntRange(1), default=6, show_default=True, help="Turns of what is compared.")
@click.option("--detect-every", type=click.IntRange(1), default=3, show_default=True, help="As of `maskcheck detect`.")
@click.option(
    "--loop-frames",
    type=click.IntRange(1),
    default=60,
    show_default=True,
    help="Frames of the ways that detect on every frame, and of `costs`.",
)
@click.option(
    "--stream-frames", type=click.IntRange(100), default=90_000, show_default=True, help="Of `memory`, 25 a second."
)
def video(
    video: Path | None,
    parts: tuple[str, ...],
    output: Path | None,
    detectors: tuple[str, ...],
    rounds: int,
    detect_every: int,
    loop_frames: int,
    stream_frames: int,
) -> None:
    """Measure the work on VIDEO, a video file, and the memory over a long stream.

    Make a video of 25 faces: python examples/make_video.py crowd25 crowd.mp4 --seconds 12 --seed 0

    speed: frames a second from the file to its last result, in turns: MaskPipeline.track; `maskcheck detect`
    without and with an annotated copy; and the detector and the classifier on every frame.

    costs: CPU time a frame of each part, such as reading, detecting and encoding.

    memory: memory of a process over an hour-long stream, by a clock that is simulated; needs no VIDEO.
    """
    require_extra("video,bench", "av", "psutil")
    from maskcheck_bench.measuring.machine import describe_machine

    wanted = parts or (_PARTS if video else ("memory",))
    if video is None and set(wanted) - {"memory"}:
        raise click.UsageError("speed and costs need a video: give VIDEO")
    report: dict[str, Any] = {"schema": "maskcheck-video-check/1", "machine": describe_machine()}
    if video is not None:
        report["video"] = video.name
        _measure_video(report, video, wanted, detectors, rounds, detect_every, loop_frames)
    if "memory" in wanted:
        from maskcheck_bench.video.long_stream import measure_memory

        report["memory"] = measure_memory(stream_frames)
    if output:
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _print(report)


def _measure_video(
    report: dict[str, Any],
    path: Path,
    wanted: tuple[str, ...],
    detectors: tuple[str, ...],
    rounds: int,
    detect_every: int,
    loop_frames: int,
) -> None:
    from tempfile import TemporaryDirectory

    from maskcheck_bench.video.part_costs import part_costs
    from maskcheck_bench.video.way_turns import take_turns
    from maskcheck_bench.video.ways import ways

    for named in detectors:
        detector, options = read_detector(named)
        if "speed" in wanted:
            with TemporaryDirectory(prefix="maskcheck-bench-") as name:
                made = ways(
                    path, detector, options, detect_every=detect_every, loop_frames=loop_frames, folder=Path(name)
                )
                report.setdefault("speed", {})[named] = take_turns(made, rounds)
        if "costs" in wanted:
            report.setdefault("costs", {})[named] = part_costs(
                path, detector, options, detect_every=detect_every, frames=loop_frames
            )


def _print(report: dict[str, Any]) -> None:
    from rich.table import Table

    if "speed" in report:
        table = Table("detector", "way", "frames/s", "CPU ms a frame", "times as fast", box=None, pad_edge=False)
        for detector, measured in report["speed"].items():
            for way, found in measured["ways"].items():
                columns = ("frames_a_second", "cpu_ms_a_frame", "times_as_fast")
                table.add_row(detector, way, *(_shown(found[column]) for column in columns))
        console().print(table)
    if "costs" in report:
        table = Table("CPU ms a frame", *report["costs"], box=None, pad_edge=False)
        costs = [measured["cpu_ms_a_frame"] for measured in report["costs"].values()]
        for part in costs[0]:
            table.add_row(part, *(f"{cost[part]:.2f}" for cost in costs))
        console().print(table)
    if "memory" in report:
        memory = report["memory"]
        console().print(
            f"memory over {memory['minutes']:.0f} minutes: {memory['first_megabytes']:.1f} MB after a twelfth,"
            f" {memory['last_megabytes']:.1f} MB at the end, at most {memory['most_over_first']:+.2%}"
        )


def _shown(spread: dict[str, float]) -> str:
    return f"{spread['median']:.1f} ({spread['least']:.1f} to {spread['most']:.1f})"
