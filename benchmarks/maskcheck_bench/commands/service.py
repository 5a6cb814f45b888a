"""``maskcheck-bench service``: the HTTP service under load."""

from __future__ import annotations

import json
from pathlib import Path

import click

from maskcheck.commands.group import require_extra

_PARTS = ("throughput", "soak")


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(_PARTS))
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder of pictures, best of one face each; those beside it that begin with `group` are left out.",
)
@click.option("--detector", default="haar", show_default=True, metavar="NAME[,PRESET]", help="Detector.")
@click.option("--model", help="Classifier.  [default: the embedded one]")
@click.option("--clients", type=click.IntRange(1), default=16, show_default=True, help="Clients at once.")
@click.option("--count", type=click.IntRange(20), default=400, show_default=True, help="Pictures of a measurement.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Rounds of the comparison.")
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
    from maskcheck_bench.service.servers import Setup
    from maskcheck_bench.service.soak import measure_soak
    from maskcheck_bench.service.throughput import measure_throughput

    name, _, preset = detector.partition(",")
    setup = Setup(name, {"preset": preset} if preset else {}, model)
    paths = sorted(path for path in pictures.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    bodies = [path.read_bytes() for path in paths if not path.name.startswith("group")]
    if not bodies:
        raise click.UsageError(f"--pictures: there is no picture in {pictures}")
    report = {}
    if "throughput" in (parts or _PARTS):
        report["throughput"] = measure_throughput(setup, bodies, clients=clients, count=count, rounds=rounds)
    if "soak" in (parts or _PARTS):
        report["soak"] = measure_soak(setup, bodies, clients=clients, count=requests, bad=bad, seed=seed)
    text = json.dumps(report, indent=2)
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")
    click.echo(text)
