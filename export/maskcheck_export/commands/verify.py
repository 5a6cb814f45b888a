"""``maskcheck-export verify``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck_export.commands.prepare import require_export


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures there, too.")
@click.pass_context
def verify(ctx: click.Context, /, run: Path, models: tuple[Path, ...], output: Path | None) -> None:
    """Compare ONNX MODELS with the Keras model in the folder RUN, on the faces kept out of its training.

    A float32 file must agree with Keras to 1e-4 and change no label. A float16 or int8 file is compared with the
    float32 file (with Keras, if none is given): at most 0.3 % or 1 % of the labels may change, at most 0.3 % of
    accuracy may be lost, and the calibration error may grow by 0.005 or 0.01 at most. Exit status 1 if a limit is
    not kept.
    """
    require_export(backend="tensorflow")

    from maskcheck_export.conversion.verification import verify
    from maskcheck_export.evaluation.metrics import as_lines
    from maskcheck_export.runs import load_run

    comparisons = verify(load_run(run), models)
    for one in comparisons:
        found, graph = one.agreement, one.graph
        click.echo(
            f"{'FAILED' if one.failures else 'passed'}: {one.name} against {one.reference} on {found.faces} faces:"
            f" largest difference {found.difference:.2e}, mean {found.mean_difference:.2e},"
            f" labels changed {found.flips} = {found.flips / found.faces:.2%}, accuracy {found.accuracy:.4f}"
            f" (loss {found.accuracy_loss:+.4f}), calibration error {found.calibration_error:.4f}"
            f" (growth {found.calibration_loss:+.4f}); opset {graph.opset}, IR {graph.ir_version},"
            f" {graph.transposes} of {graph.nodes} nodes are transposes"
        )
        for failure in one.failures:
            click.echo(f"  {failure}")
        click.echo("\n".join(as_lines(one.metrics)))
    if output:
        output.write_text(json.dumps([one.to_dict() for one in comparisons], indent=1) + "\n", encoding="utf-8")
    ctx.exit(SOMETHING_FAILED if any(one.failures for one in comparisons) else SUCCESS)
