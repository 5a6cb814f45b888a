"""``maskcheck-export triton``."""

from __future__ import annotations

from pathlib import Path

import click

from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck.commands.group import require_extra
from maskcheck.commands.options import FilePath, detector_options


@click.command()
@click.argument("folder", metavar="DIR", type=FilePath(file_okay=False, path_type=Path))
@click.option("--model", type=FilePath(), help="Classifier: an ONNX file.  [default: the embedded one]")
@detector_options
@click.option("--device", type=click.Choice(["cpu", "gpu"]), default="cpu", help="Where the models run.")
@click.option("--instances", type=click.IntRange(1), default=1, help="Copies that run at once, on each device.")
@click.option("--threads", type=click.IntRange(1), help="Threads of each copy on the CPU.  [default: all CPUs]")
@click.option("--max-batch", type=click.IntRange(1, 1024), default=32, help="Most crops, or pictures, in a run.")
@click.option(
    "--preferred-batch",
    "preferred_batches",
    type=click.IntRange(1),
    multiple=True,
    help="Size of a batch that need not wait for more; may be repeated.  [default: no size]",
)
@click.option(
    "--max-delay-ms", type=click.FloatRange(0), default=1.0, help="Most time that a request waits to share a batch."
)
@click.option("--overwrite", is_flag=True, help="Replace these models where they are in DIR already.")
@click.option("--check", is_flag=True, help="Write nothing, check the repository in DIR.")
@click.pass_context
def triton(
    ctx: click.Context,
    /,
    folder: Path,
    model: str | None,
    detector: str,
    detector_options: dict[str, str],
    min_score: float | None,
    tile: int | None,
    device: str,
    instances: int,
    threads: int | None,
    max_batch: int,
    preferred_batches: tuple[int, ...],
    max_delay_ms: float,
    overwrite: bool,
    check: bool,
) -> None:
    """Write a model repository for Triton Inference Server into DIR, and check it.

    It has two models: `maskcheck_classifier`, face crops in, for the ONNX Runtime backend; and `maskcheck`, pictures
    in, for the Python backend. README-maskcheck.md says how to start Triton, and what each model takes.

    The check reads each configuration by Triton's schema, and loads and runs each ONNX file with the shapes that it
    declares. The exit status is 1 if something is wrong.
    """
    require_extra("triton", "tritonclient", "grpc")
    from maskcheck_export.triton.checks import check_repository
    from maskcheck_export.triton.repository import write_repository
    from maskcheck_export.triton.settings import PipelineSettings, Scheduling

    if not check:
        _check_detector(detector, detector_options)
        try:
            scheduling = Scheduling(
                device == "gpu", instances, max_batch, preferred_batches, round(max_delay_ms * 1000)
            )
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        pipeline = PipelineSettings(detector, detector_options, min_score, tile, threads)
        written = write_repository(folder, model=model, pipeline=pipeline, scheduling=scheduling, overwrite=overwrite)
        for path in written:
            click.echo(f"wrote {path}")
    faults = check_repository(folder)
    for name, of in faults.items():
        click.echo(f"{'FAILED' if of else 'passed'}: {name}")
        for fault in of:
            click.echo(f"  {fault}")
    ctx.exit(SOMETHING_FAILED if any(faults.values()) else SUCCESS)


def _check_detector(name: str, options: dict[str, str]) -> None:
    """Refuse an option that the detector does not take; a detector that is not installed here may be where Triton runs.

    Raises:
        DetectorOptionError: An option that it does not take.
    """
    from maskcheck.errors import DetectorNotFound
    from maskcheck.hosting.creation import check_options
    from maskcheck.hosting.registry import default_registry

    try:
        spec = default_registry().find(name).spec
    except DetectorNotFound as error:
        click.echo(f"not checked here: {error}", err=True)
        return
    check_options(spec, options)
