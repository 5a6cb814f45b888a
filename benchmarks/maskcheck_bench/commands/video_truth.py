"""``maskcheck-bench video-truth``: events and tracks against the truth of drawn videos."""

from __future__ import annotations

import json
from pathlib import Path

import click

from maskcheck.commands.console import console
from maskcheck.commands.group import require_extra


@click.command("video-truth")
@click.option("--detector", default="haar", show_default=True)
@click.option("--seeds", type=click.IntRange(1), default=20, show_default=True, help="Videos of each scene.")
@click.option(
    "--every", type=click.IntRange(1), default=3, show_default=True, help="The detector gets every Nth frame."
)
@click.option("--seconds", type=click.FloatRange(1), default=60.0, show_default=True, help="Of the steady faces.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the report as JSON.")
def video_truth(detector: str, seeds: int, every: int, seconds: float, output: Path | None) -> None:
    """Measure events, identity switches and label changes of the whole pipeline.

    The videos are drawn by examples/make_video.py of this checkout, whose truth is known: who is where, who enters and
    leaves, and when masks go on and off. At 5 frames a second, the detector gets every frame.
    """
    require_extra("video", "scipy")
    from maskcheck import MaskPipeline
    from maskcheck_bench.video_truth.measuring import measure_events, measure_label_changes, measure_switches

    numbers = range(seeds)
    with MaskPipeline(detector) as pipeline:
        report = {
            "detector": detector,
            "seeds": seeds,
            "detect_every": every,
            "switches": [
                measure_switches(pipeline, "crossing", numbers, fps=5, detect_every=1),
                measure_switches(pipeline, "crossing", numbers, fps=25, detect_every=every),
                measure_switches(pipeline, "gap", numbers, fps=25, detect_every=every),
            ],
            "label_changes": measure_label_changes(pipeline, seed=0, seconds=seconds, fps=10, detect_every=1),
            "events": measure_events(pipeline, numbers, detect_every=every),
        }
    text = json.dumps(report, indent=2)
    if output:
        output.write_text(text + "\n", encoding="utf-8")
    console().print_json(text)
