"""``maskcheck-bench service``: the HTTP service under load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from maskcheck.commands.console import console
from maskcheck.commands.group import require_extra
from maskcheck_bench.commands.arguments import find_pictures, read_detector

_PARTS = ("throughput", "soak")


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(_PARTS))
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder of pictures, best of one face each; those beside it that begin with `group` are left out.",
)
@click.option("--detector", default="centerface,fast", show_default=True, metavar="NAME[,PRESET]", help="Detector.")
@click.option("--model", help="Classifier.  [default: the embedded one]")
@click.option("--clients", type=click.IntRange(1), default=16, show_default=True, help="Clients at once.")
@click.option("--count", type=click.IntRange(20), default=200, show_default=True, help="Pictures of a measurement.")
@click.option("--rounds", type=click.IntRange(1), default=10, show_default=True, help="Rounds of the comparison.")
@click.option("--requests", type=click.IntRange(50), default=20_000, show_default=True, help="Requests of the soak.")
@click.option("--bad", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Share of bad ones.")
@click.option("--seed", type=int, default=17, show_default=True, help="Of their order.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the report as JSON.")
def service(
    parts: tuple[str, ...],
    pictures: Path,
    detector: str,
    model: str | None,
    clients: int,
    count: int,
    rounds: int,
    requests: int,
    bad: float,
    seed: int,
    output: Path | None,
) -> None:
    """Measure the HTTP service; by default, all parts.

    PARTS: `throughput` compares it with a stream of the pipeline and with a naive service; `soak` sends many requests,
    some of them broken, and looks for wrong answers and for what they leave behind.
    """
    require_extra("bench", "psutil")
    require_extra("serve", "fastapi", "uvicorn")
    from maskcheck import __version__
    from maskcheck_bench.measuring.machine import describe_machine
    from maskcheck_bench.service.servers import Setup
    from maskcheck_bench.service.soak import measure_soak
    from maskcheck_bench.service.throughput import measure_throughput

    setup = Setup(*read_detector(detector), model)
    paths = find_pictures(pictures, subfolders=False)
    bodies = [path.read_bytes() for path in paths if not path.name.startswith("group")]
    if not bodies:
        raise click.UsageError(f"--pictures: there is no picture in {pictures}")
    report: dict[str, Any] = {
        "schema": "maskcheck-service/1",
        "machine": describe_machine(),
        "versions": {"maskcheck": __version__},
        "detector": detector,
        "model": model,
        "pictures": len(bodies),
    }
    if "throughput" in (parts or _PARTS):
        report["throughput"] = measure_throughput(setup, bodies, clients=clients, count=count, rounds=rounds, seed=seed)
    if "soak" in (parts or _PARTS):
        report["soak"] = measure_soak(setup, bodies, clients=clients, count=requests, bad=bad, seed=seed)
    if output is not None:
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _print(report)


def _print(report: dict[str, Any]) -> None:
    from rich.table import Table

    if "throughput" in report:
        found = report["throughput"]["medians"]
        table = Table("", "pictures/s", "p50, ms", "p99, ms", box=None, pad_edge=False)
        table.add_row("stream of the pipeline", f"{found['stream_rate']:.1f}", "", "")
        for name in ("service", "naive"):
            figures = (f"{found[f'{name}_{figure}']:.1f}" for figure in ("rate", "p50", "p99"))
            table.add_row(f"{name}, {report['throughput']['clients']} clients", *figures)
        half = f"{found['service_rate'] / 2:.1f}"
        table.add_row("service, at half its rate", half, f"{found['half_p50']:.1f}", f"{found['half_p99']:.1f}")
        table.add_row("service, one client", "", f"{found['single']:.1f}", "")
        console().print(table)
        for name, ratio in report["throughput"]["ratios"].items():
            console().print(f"{name}: {ratio:.2f}")
    if "soak" in report:
        soak = report["soak"]
        console().print(
            f"{soak['requests']} requests in {soak['seconds']:.0f} s: {soak['wrong']} wrong answers,"
            f" {soak['server_errors']} of status 5xx"
        )
        for kind, number in soak["answers"].items():
            console().print(f"  {kind}: {number}")
        memory, single = soak["memory_mb"], soak["single_request_ms"]
        console().print(
            f"memory: {memory[0]:.1f} MB after a tenth, {memory[-1]:.1f} MB at the end ({soak['memory_growth']:+.1%})"
        )
        console().print(f"a request alone: {single['before']:.1f} ms before, {single['after']:.1f} ms after")
        console().print(f"still under way: {sum(soak['left'].values()):.0f}")
