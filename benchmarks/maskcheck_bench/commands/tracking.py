"""``maskcheck-bench tracking``: how well faces are followed."""

from __future__ import annotations

import json
from pathlib import Path

import click

from maskcheck.commands.console import console
from maskcheck.commands.group import require_extra


@click.command()
@click.option("--seeds", type=click.IntRange(1), default=20, show_default=True, help="Simulated videos of each scene.")
@click.option("--first-seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the report as JSON.")
def tracking(seeds: int, first_seed: int, output: Path | None) -> None:
    """Measure identity switches, MOT metrics and speed of trackers, and label changes, on simulated faces.

    Peers and MOT metrics are of the package `trackers`; where it is not installed, the report names it.
    """
    require_extra("bench")
    from maskcheck_bench.tracking.measuring import measure_tracking

    text = json.dumps(measure_tracking(range(first_seed, first_seed + seeds)), indent=2)
    if output:
        output.write_text(text + "\n", encoding="utf-8")
    console().print_json(text)
