"""The command and its options."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import click

from maskcheck.commands.options import PIPELINE_SECTIONS, pipeline_options
from maskcheck.commands.sections import SectionedCommand

if TYPE_CHECKING:
    from maskcheck.commands.batch.engines import Engine
    from maskcheck.pictures.limits import DecodingLimits

_SECTIONS = {
    "Job": ("output", "column", "resume", "retry_failed", "share", "part_size"),
    "Workers": ("engine", "workers", "cpus", "gpus", "address"),
    **PIPELINE_SECTIONS,
    "Detector": (*PIPELINE_SECTIONS["Detector"], "timeout"),
}


def _read_share(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d+)/(\d+)", value)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise click.BadParameter(f"expected I/N, such as 3/8 for the third of eight, got {value!r}")
    return int(found[1]), int(found[2])


@click.command(cls=SectionedCommand, sections=_SECTIONS)
@click.argument("sources", nargs=-1, required=True)
@click.option(
    "--output",
    required=True,
    metavar="URI",
    help="Folder for the rows, a Parquet file for each part: a path, or an address such as s3://bucket/folder. What a"
    " run needs to go on, and its report, are in _job in it.",
)
@click.option(
    "--column",
    help="SOURCES are Parquet files: this column has the bytes of pictures, a struct of bytes and path, or paths.",
)
@click.option("--resume", is_flag=True, help="Go on with the job in the output folder, and with pictures that are new.")
@click.option("--retry-failed", is_flag=True, help="With --resume: make parts with failed pictures anew.")
@click.option(
    "--share",
    callback=_read_share,
    metavar="I/N",
    help="Only the I-th of N shares of the pictures, into an output folder of its own: for clusters without Ray.",
)
@click.option(
    "--part-size",
    type=click.IntRange(1, 100_000),
    metavar="N",
    help="Pictures of a part, which is lost if it is not finished.  [default: 20 to 1000, by the size of the job]",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Work on this machine, or on a cluster of Ray. The rows are the same.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 100_000),
    metavar="N",
    help="Processes, or actors of Ray.  [default: one for each CPU; as many as the cluster has room for]",
)
@click.option(
    "--cpus",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="N",
    help="Ray: CPUs of each worker.",
)
@click.option(
    "--gpus",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    metavar="N",
    help="Ray: GPUs of each worker; 0.25 lets four workers share one.",
)
@click.option(
    "--address",
    metavar="ADDRESS",
    help="Ray: the cluster; auto is the one that this machine belongs to, local starts one here.  [default:"
    " RAY_ADDRESS, else local]",
)
@pipeline_options
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="A picture fails if it takes longer, twice.",
)
@click.pass_context
def batch(
    ctx: click.Context,
    /,
    sources: tuple[str, ...],
    output: str,
    column: str | None,
    resume: bool,
    retry_failed: bool,
    share: tuple[int, int] | None,
    part_size: int | None,
    engine: Literal["local", "ray"],
    workers: int | None,
    cpus: float,
    gpus: float,
    address: str | None,
    timeout: float,
    limits: DecodingLimits,
    providers: tuple[str, ...],
    **options: Any,
) -> None:
    """Find the faces in many pictures, on this machine or on a cluster, and write a row for each as Parquet.

    SOURCES are pictures, folders (searched with all their subfolders), patterns such as 'photos/**/*.jpg', @FILE for a
    list of sources, and addresses of these (s3://..., gs://..., hdfs://..., whatever fsspec knows). With --column, they
    are Parquet files. A run that was killed at any moment goes on with --resume: no picture is lost, and none has its
    rows twice. A picture that kills its process or hangs has a row with the error.
    """
    from PIL import Image

    from maskcheck.commands.batch.run import BatchSettings, run_batch
    from maskcheck.pipeline import MaskPipeline

    Image.MAX_IMAGE_PIXELS = None  # --max-megapixels takes the place of Pillow's own limit
    if retry_failed and not resume:
        raise click.UsageError("--retry-failed: expected --resume as well")
    chosen = _engine(ctx, engine, output, workers, cpus, gpus, address)
    if engine == "ray" and options["threads"] is None:
        options["threads"] = max(1, int(cpus))
    try:
        pipeline = MaskPipeline(providers=providers or None, limits=limits, **options)
    except ValueError as error:  # it names the value that is out of range
        raise click.UsageError(str(error)) from None
    settings = BatchSettings(sources, output, column, resume, retry_failed, share, part_size, timeout)
    ctx.exit(run_batch(settings, pipeline, chosen))


def _engine(
    ctx: click.Context,
    name: str,
    output: str,
    workers: int | None,
    cpus: float,
    gpus: float,
    address: str | None,
) -> Engine:
    if name == "ray":
        if output.startswith("memory:"):
            raise click.UsageError("--output: expected a place that all nodes reach, not the memory of this process")
        from maskcheck.commands.batch.ray_engine import RayEngine

        return RayEngine(address, workers=workers, cpus=cpus, gpus=gpus)
    from maskcheck.commands.batch.engines import LocalEngine

    given = [
        f"--{option}"
        for option in ("cpus", "gpus", "address")
        if ctx.get_parameter_source(option) is not click.core.ParameterSource.DEFAULT
    ]
    if given:
        raise click.UsageError(f"{', '.join(given)}: only for --engine ray")
    return LocalEngine(workers)
