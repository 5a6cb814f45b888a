"""``maskcheck-bench batch``: a job on a Ray cluster that is killed bit by bit, against this machine alone."""

from __future__ import annotations

import json
from pathlib import Path

import click

from maskcheck.commands.console import console
from maskcheck.commands.group import require_extra
from maskcheck_bench.commands.arguments import find_pictures


@click.command()
@click.argument("samples", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the report as JSON.")
@click.option("--count", type=click.IntRange(100), default=5000, show_default=True, help="Pictures that are made.")
@click.option("--calm", is_flag=True, help="Kill nothing: the time then says what Ray costs.")
@click.option("--seed", type=int, default=17, show_default=True, help="Of the pictures.")
@click.option("--model", help="As in `maskcheck batch`.")
def batch(samples: Path, output: Path | None, count: int, calm: bool, seed: int, model: str | None) -> None:
    """Run `maskcheck batch` here and on a Ray cluster of two nodes, and compare the rows.

    The pictures are crops of those in SAMPLES; a hundredth are none, and one kills the process that sees it. On the
    cluster, an actor is killed twice and the driver once, and the job is resumed.
    """
    require_extra("bench", "psutil")
    require_extra("ray", "ray", "pyarrow")
    from maskcheck_bench.batch.cluster_run import Kills, measure_cluster

    pictures = find_pictures(samples)
    if not pictures:
        raise click.UsageError(f"no pictures in {samples}")
    options = [] if model is None else ["--model", model]
    report = measure_cluster(pictures, count, seed=seed, kills=None if calm else Kills(), options=options)
    text = json.dumps(report, indent=2)
    if output:
        output.write_text(text + "\n", encoding="utf-8")
    console().print_json(text)
