"""``maskcheck-export quantize-detector``."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maskcheck.commands.exits import SOMETHING_FAILED, SUCCESS
from maskcheck_export.commands.log import report
from maskcheck_export.commands.prepare import require_export
from maskcheck_export.conversion.choices import CALIBRATIONS

if TYPE_CHECKING:
    from maskcheck_export.detector_quantization.network import QuantizableDetector
    from maskcheck_export.detector_quantization.parity import Parity


@click.command("quantize-detector")
@click.argument("detector")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
@click.option(
    "--leave-out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Compare on the pictures whose file names are in this file, a name on each line; calibrate on others.",
)
@click.option("--overlay", help="Complete the annotations: an overlay of the package, as crowd, or a JSON file.")
@click.option("--pictures", default=48, type=click.IntRange(1), help="Calibrate on so many pictures, evenly spread.")
@click.option("--calibration", default="minmax", type=click.Choice(CALIBRATIONS), help="How ranges are chosen.")
@click.option("--stem", default=3, type=click.IntRange(0), help="Convolutions at the beginning that stay in float.")
@click.option("--equalize/--no-equalize", default=True, help="Give channels before a depthwise one equal ranges.")
@click.option("--license", "license_", required=True, help="Licence of the network, for the file.")
@click.option("--about-data", default=None, help="Description of the pictures, for the file.")
@click.option("--json", "figures", type=click.Path(path_type=Path), help="Write the figures to this file, too.")
@click.pass_context
def quantize_detector(
    ctx: click.Context,
    /,
    detector: str,
    data: Path,
    output: Path,
    leave_out: Path,
    overlay: str | None,
    pictures: int,
    calibration: str,
    stem: int,
    equalize: bool,
    license_: str,
    about_data: str | None,
    figures: Path | None,
) -> None:
    """Make an int8 file of the network of DETECTOR, calibrated on DATA, annotated pictures in COCO form.

    The file is then compared with the float32 network, on the pictures that --leave-out lists: average precision of
    what the detector finds with each preset, its scores and its time. The exit status is 1 if AP50 falls by more than
    0.01, of all faces or of those of 12 or of 24 pixels or more, if scores differ by more than 0.02 in the mean, or if
    more than 1 % of the boxes with a score of 0.3 or more are lost.
    """
    require_export()
    import onnx

    from maskcheck_export.annotations.overlay import read_annotations
    from maskcheck_export.detector_quantization.parity import Limits, compare
    from maskcheck_export.detector_quantization.quantization import DetectorQuantization, in_int8, quantize_detector
    from maskcheck_export.errors import DataError
    from maskcheck_export.writing.whole_files import replacing

    presets = _presets(detector)
    annotated = read_annotations(data, overlay)
    for line in annotated.skipped:
        report(f"skipped: {line}")
    left_out = set(leave_out.read_text(encoding="utf-8").split("\n"))
    compared = [picture for picture in annotated.pictures if picture.path.name in left_out]
    others = [picture.path for picture in annotated.pictures if picture.path.name not in left_out]
    if not compared or not others:
        raise DataError(f"{leave_out} lists {len(compared)} of the {len(annotated.pictures)} pictures in {data}")
    count = min(pictures, len(others))
    chosen = [others[index * len(others) // count] for index in range(count)]
    report(f"calibrating on {count} of {len(others)} pictures")
    with redirect_stdout(sys.stderr):  # the quantiser prints its progress to standard output
        proto = quantize_detector(
            [*presets.values()],
            chosen,
            DetectorQuantization(calibration, stem, equalize),
            license=license_,
            about_data=about_data or data.name,
        )
    with replacing(output) as unfinished:
        onnx.save(proto, unfinished)
    click.echo(f"wrote {output}")
    parities = {}
    failures = []
    for preset, floating in presets.items():
        report(f"{preset}: comparing on {len(compared)} pictures")
        parity = parities[preset] = compare(floating, in_int8(floating, output), compared)
        click.echo(_line(preset, parity))
        failures += [f"FAILED: {preset}: {failure}" for failure in parity.failures(Limits())]
    click.echo("\n".join(failures) or "passed")
    if figures:
        content = {preset: asdict(parity) for preset, parity in parities.items()}
        figures.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    ctx.exit(SOMETHING_FAILED if failures else SUCCESS)


def _line(preset: str, parity: Parity) -> str:
    """The figures of a preset, in words."""
    sizes = []
    for size, of in parity.sizes.items():
        interval = "" if of.interval is None else f", {of.interval[0]:+.4f} to {of.interval[1]:+.4f}"
        sizes.append(f"{size}: {of.ap50:.3f} (loss {of.loss:+.4f}{interval})")
    return (
        f"{preset}: AP50 {'; '.join(sizes)}; boxes lost {parity.boxes_lost} of {parity.boxes};"
        f" scores {parity.score_shift:+.4f} in the mean, absolute {parity.score_difference:.4f};"
        f" {parity.time_ratio:.2f} times the time"
    )


def _presets(name: str) -> dict[str, QuantizableDetector]:
    """A detector in float32 with each of its presets, by preset.

    Raises:
        DataError: The detector has no presets, or does not offer its network.
    """
    from maskcheck.hosting.creation import create_detector
    from maskcheck.hosting.registry import default_registry
    from maskcheck.runtime.config import SessionConfig
    from maskcheck_export.detector_quantization.network import QuantizableDetector
    from maskcheck_export.errors import DataError

    spec = default_registry().find(name).spec
    options = {option.name: option for option in spec.options}
    if "preset" not in options:
        raise DataError(f"detector {name} has no presets to quantise its network for")
    floating = {"precision": "float32"} if "precision" in options else {}
    detectors = {}
    for preset in map(str, options["preset"].choices or ()):
        made = create_detector(spec, {"preset": preset, **floating}, SessionConfig("cpu"))
        if not isinstance(made, QuantizableDetector):
            raise DataError(f"detector {name} cannot be quantised: it has no method network_inputs")
        detectors[preset] = made
    return detectors
