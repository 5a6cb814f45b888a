"""``maskcheck doctor --tune``: find the fastest settings for the classifier on this machine, and save them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import click
import numpy as np

from maskcheck.classifier.drawn_crops import draw_crops
from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.classifier.model import find_model
from maskcheck.classifier.settings_search import (
    BATCH_SIZES,
    Measurement,
    find_faster_file,
    find_fastest,
    list_settings,
    measure_settings,
)
from maskcheck.classifier.tuned_choices import save_choice
from maskcheck.commands.console import console, is_terminal, plain
from maskcheck.commands.standard_streams import own_standard_output
from maskcheck.pictures.crops import Crops
from maskcheck.pipeline import MaskPipeline
from maskcheck.runtime.providers import CPU
from maskcheck.sources import find_sources

_DRAWN = 256
_SHIFTS = [(x, y) for x in (-0.1, 0, 0.1) for y in (-0.1, 0, 0.1)]
"""By what a face is moved for further crops, as a share of its width and height."""


def tune(model: str | None, files: Sequence[Path], pictures: Sequence[str], *, as_json: bool) -> bool:
    """Measure all settings with which a model can run, print the results and save the fastest settings.

    Args:
        model: An ONNX file; None is the embedded one.
        files: Other files of the same classifier, in another precision. They are compared, but never chosen, because a
            tuned choice is settings only.
        pictures: Pictures whose faces are classified; without any, drawn faces are.
        as_json: Print JSON instead of a table.

    Returns:
        Whether settings were saved; False if all were refused.
    """
    if not as_json:
        return _tune(model, files, pictures, None)
    with own_standard_output() as stream:
        return _tune(model, files, pictures, stream)


def _tune(model: str | None, files: Sequence[Path], pictures: Sequence[str], stream: IO[str] | None) -> bool:
    path = find_model(model)
    stored = MaskClassifier(path, providers=[CPU], precision="stored")
    crops = _cut_faces(path, pictures) if pictures else draw_crops(_DRAWN, stored.info.input_size)
    settings = list_settings(path, [find_model(file) for file in files], quantized=stored.info.precision == "int8")
    measurements = measure_settings(path, settings, crops, track=_track)
    fastest = find_fastest(measurement for measurement in measurements if measurement.settings.model == path)
    choice = fastest[0].choice(fastest[1]) if fastest else None
    faster_file = find_faster_file(measurements, path)
    written = save_choice(path, choice) if choice else None
    if stream is not None:
        content = {
            "schema": "maskcheck-tune/1",
            "model": path.name,
            "model_sha256": stored.sha256,
            "crops": len(crops),
            "candidates": [_describe(measurement) for measurement in measurements],
            "choice": asdict(choice) if choice else None,
            "written": str(written) if written else None,
            "faster_file": str(faster_file) if faster_file else None,
        }
        stream.write(json.dumps(content, indent=2) + "\n")
    else:
        _print(measurements, fastest, len(crops), written, faster_file)
    return fastest is not None


def _cut_faces(model: Path, pictures: Sequence[str]) -> Crops:
    pipeline = MaskPipeline(model=model, providers=[CPU], precision="stored")
    crops = []
    for source in find_sources(pictures, kinds=["picture"]):
        if source.error is not None:
            raise source.error
        result = pipeline(source.path)
        if len(result):
            crops.append(_crop(pipeline, source.path, [face.pixel_box for face in result]))
    if not crops:
        raise click.UsageError("no face was found in the pictures; give others, or none to use drawn faces")
    return np.concatenate(crops)


def _crop(pipeline: MaskPipeline, picture: Path, boxes: Sequence[tuple[int, int, int, int]]) -> Crops:
    """Crops of each face, moved a little and mirrored, because a few faces alone would show little."""
    from maskcheck.pictures.decoding import load_image

    pixels = load_image(picture).pixels
    height, width = pixels.shape[:2]
    moved = [
        np.clip(np.add(box, np.multiply([x, y, x, y], [box[2] - box[0], box[3] - box[1]] * 2)), 0, [width, height] * 2)
        for box in boxes
        for x, y in _SHIFTS
    ]
    assert pipeline.classifier is not None  # `mask`
    crops = pipeline.classifier.crop(pixels, np.asarray(moved, np.float64))
    return np.concatenate([crops, crops[:, :, ::-1]])


def _track(rounds: range) -> Iterable[int]:
    if not is_terminal(sys.stderr):
        return rounds
    from rich.progress import track

    return track(rounds, "Rounds", console=console(stderr=True), transient=True)


def _describe(measurement: Measurement) -> dict[str, Any]:
    return {
        **asdict(measurement.settings),
        "model": str(measurement.settings.model),
        "milliseconds_a_face": {str(size): round(time, 3) for size, time in measurement.milliseconds.items()},
        "flips": measurement.flips,
        "largest_difference": measurement.largest,
        "mean_difference": measurement.mean,
        "refusal": measurement.refusal or None,
    }


def _print(
    measurements: Sequence[Measurement],
    fastest: tuple[Measurement, int] | None,
    crops: int,
    written: Path | None,
    faster_file: Path | None,
) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("model", overflow="fold")
    for name in ("provider", "precision"):
        table.add_column(name)
    for name in ("threads", *(f"ms, {size}" for size in BATCH_SIZES), "flips", "largest", "mean"):
        table.add_column(name, justify="right")
    table.add_column("")
    for measurement in measurements:
        settings, times = measurement.settings, measurement.milliseconds
        table.add_row(
            plain(settings.model.name),
            settings.provider.removesuffix("ExecutionProvider"),
            settings.precision,
            str(settings.threads),
            *(f"{times[size]:.2f}" if size in times else "-" for size in BATCH_SIZES),
            *("-" if value is None else form.format(value) for value, form in _differences(measurement)),
            plain(f"refused: {measurement.refusal}", "red") if measurement.refusal else _mark(measurement, fastest),
        )
    console().print(table)
    console().print(
        f"ms, N: time of a face in batches of N; flips: share of {crops} crops with another label than from the model;"
        " largest, mean: difference of the probabilities"
    )
    if written:
        console().print(plain(f"the choice is in {written}"))
    if faster_file:
        console().print(
            plain(f"{faster_file} is faster: to use it, pass it as --model, and run --tune with that --model")
        )


def _differences(measurement: Measurement) -> list[tuple[float | None, str]]:
    return [(measurement.flips, "{:.1%}"), (measurement.largest, "{:.4f}"), (measurement.mean, "{:.5f}")]


def _mark(measurement: Measurement, fastest: tuple[Measurement, int] | None) -> str:
    return f"[green]chosen, batches of {fastest[1]}[/green]" if fastest and fastest[0] is measurement else ""
