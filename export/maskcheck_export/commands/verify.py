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
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the figures to this file, too.")
@click.pass_context
def verify(ctx: click.Context, /, run: Path, models: tuple[Path, ...], output: Path | None) -> None:
    """Compare ONNX MODELS with the Keras model in the folder RUN, on its test faces.

    A float32 file is compared with Keras: no probability may differ by more than 1e-4, and no label may change. A
    float16 or int8 file is compared with the float32 file (with Keras, if there is none): at most 0.3 % (float16) or
    1 % (int8) of the labels may change, the accuracy may fall by 0.003, and the calibration error may increase by
    0.005 (float16) or 0.01 (int8). Of the second look, face may change on at most 0.3 % or 2 % of the boxes, and the
    places must overlap by 0.99 or 0.92 on average. The exit status is 1 if a file exceeds a limit.
    """
    require_export(backend="tensorflow")

    from maskcheck_export.conversion.verification import verify
    from maskcheck_export.evaluation.metrics import as_lines
    from maskcheck_export.runs import load_run

    results = verify(load_run(run), models)
    for result in results:
        agreement, graph = result.agreement, result.graph
        click.echo(
            f"{'FAILED' if result.failures else 'passed'}: {result.name} against {result.reference} on"
            f" {agreement.faces} faces: largest difference {agreement.difference:.2e},"
            f" mean {agreement.mean_difference:.2e},"
            f" labels changed {agreement.flips} = {agreement.flips / agreement.faces:.2%},"
            f" accuracy {agreement.accuracy:.4f} (loss {agreement.accuracy_loss:+.4f}),"
            f" calibration error {agreement.calibration_error:.4f} (increase {agreement.calibration_loss:+.4f});"
            f" opset {graph.opset}, IR {graph.ir_version}, {graph.transposes} of {graph.nodes} nodes are transposes"
        )
        if result.look:
            look = result.look
            click.echo(
                f"  second look at {look.boxes} boxes: face changed {look.flips} = {look.flips / look.boxes:.2%}, mean"
                f" difference {look.difference:.4f}, mean overlap of boxes {look.overlap:.4f}"
            )
        for failure in result.failures:
            click.echo(f"  {failure}")
        click.echo("\n".join(as_lines(result.metrics)))
    if output:
        output.write_text(json.dumps([result.to_dict() for result in results], indent=1) + "\n", encoding="utf-8")
    ctx.exit(SOMETHING_FAILED if any(result.failures for result in results) else SUCCESS)
