"""``maskcheck-bench live``: cameras that go away and come back, and how late their frames are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from maskcheck.commands.console import console
from maskcheck.commands.group import require_extra


@click.command()
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the report as JSON.")
@click.option("--outages", type=click.IntRange(1), default=10, show_default=True, help="Outages that are timed.")
@click.option(
    "--cut", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True, help="Of each, in seconds."
)
@click.option("--cuts", type=click.IntRange(1), default=50, show_default=True, help="Cuts in a row, at the end.")
@click.option("--frames", type=click.IntRange(1), default=900, show_default=True, help="Frames that are timed.")
@click.option("--picture", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="What the camera sees.")
@click.option("--detector", help="Measure the delay of results too, with this detector.")
def live(
    output: Path | None,
    outages: int,
    cut: float,
    cuts: int,
    frames: int,
    picture: Path | None,
    detector: str | None,
) -> None:
    """Measure live sources against a camera on this machine.

    The camera speaks MJPEG over HTTP, 30 frames a second, and is a process of its own: it is killed, and frozen, for
    some seconds. Measured are the time from its return to the next frame; the delay from the moment when it takes a
    picture until the caller has its pixels, or with --detector its result; and threads, file descriptors and memory
    after many cuts.
    """
    require_extra("video,bench", "av", "psutil")

    from maskcheck import MaskPipeline
    from maskcheck_bench.live.live_measurement import measure_live

    pipeline = MaskPipeline(detector=detector) if detector else None
    report = measure_live(outages=outages, cut=cut, cuts=cuts, frames=frames, picture=picture, pipeline=pipeline)
    if output:
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _print(report)


def _print(report: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for name in ("count", "p50", "p95", "most"):
        table.add_column(name, justify="right")
    for name, summary in (
        ("back after, camera killed, s", report["back_after_seconds"]["killed"]),
        ("back after, camera frozen, s", report["back_after_seconds"]["frozen"]),
        ("delay of a frame, ms", report["frame_delay_ms"]),
        ("delay of a result, ms", report["result_delay_ms"]),
    ):
        if summary is not None:
            table.add_row(name, str(summary["count"]), *(f"{summary[key]:.2f}" for key in ("p50", "p95", "most")))
    console().print(table)
    left = report["left_behind"]
    for what in left["before"]:
        before, after = left["before"][what], left["after"][what]
        console().print(f"{what} after {left['cuts']} cuts: {after:.0f}, before {before:.0f}")
