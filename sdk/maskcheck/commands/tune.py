"""``maskcheck doctor --tune``: find the fastest way to run the classifier here, and keep it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import click
import numpy as np

from maskcheck.classifier.execution import save_choice
from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.classifier.model import find_model
from maskcheck.classifier.tuning import (
    BATCH_SIZES,
    Trial,
    draw_crops,
    find_best,
    find_faster_file,
    list_candidates,
    try_candidates,
)
from maskcheck.commands.console import console, is_terminal, plain
from maskcheck.commands.standard_streams import own_standard_output
from maskcheck.pictures.crops import Crops
from maskcheck.pictures.sources import find_pictures
from maskcheck.pipeline import MaskPipeline
from maskcheck.runtime.providers import CPU

_DRAWN = 256
_SHIFTS = [(x, y) for x in (-0.1, 0, 0.1) for y in (-0.1, 0, 0.1)]
"""By what a face is moved for further crops, as a share of its width and height."""


def tune(model: str | None, files: Sequence[Path], pictures: Sequence[str], *, as_json: bool) -> bool:
    """Try every way of running a model, print what was found and keep the best one.

    Args:
        model: An ONNX file; None is the embedded one.
        files: Other files of the same classifier, in another precision: compared, but never chosen, as what is kept are
            settings alone.
        pictures: Pictures whose faces the candidates are compared on; none for drawn faces.
        as_json: Print JSON instead of a table.

    Returns:
        Whether there is a best one; otherwise nothing was written.
    """
    if not as_json:
        return _tune(model, files, pictures, None)
    with own_standard_output() as stream:
        return _tune(model, files, pictures, stream)


def _tune(model: str | None, files: Sequence[Path], pictures: Sequence[str], stream: IO[str] | None) -> bool:
    path = find_model(model)
    stored = MaskClassifier(path, providers=[CPU], precision="stored")
    crops = _cut_faces(path, pictures) if pictures else draw_crops(_DRAWN, stored.info.input_size)
    candidates = list_candidates(path, [find_model(file) for file in files], quantized=stored.info.precision == "int8")
    trials = try_candidates(path, candidates, crops, track=_track)
    best = find_best(trial for trial in trials if trial.candidate.model == path)
    choice = best[0].choice(best[1]) if best else None
    faster = find_faster_file(trials, path)
    written = save_choice(path, choice) if choice else None
    if stream is not None:
        content = {
            "schema": "maskcheck-tune/1",
            "model": path.name,
            "model_sha256": stored.sha256,
            "crops": len(crops),
            "candidates": [_describe(trial) for trial in trials],
            "choice": asdict(choice) if choice else None,
            "written": str(written) if written else None,
            "faster_file": str(faster) if faster else None,
        }
        stream.write(json.dumps(content, indent=2) + "\n")
    else:
        _print(trials, best, len(crops), written, faster)
    return best is not None


def _cut_faces(model: Path, pictures: Sequence[str]) -> Crops:
    pipeline = MaskPipeline(model=model, providers=[CPU], precision="stored")
    crops = []
    for source in find_pictures(pictures):
        if source.error is not None:
            raise source.error
        found = pipeline(source.path)
        if len(found):
            crops.append(_crop(pipeline, source.path, [face.pixel_box for face in found]))
    if not crops:
        raise click.UsageError("no face was found in the pictures; without any, drawn faces are compared")
    return np.concatenate(crops)


def _crop(pipeline: MaskPipeline, picture: Path, boxes: Sequence[tuple[int, int, int, int]]) -> Crops:
    """Crops of each face, moved a little and mirrored: a few faces alone would say little."""
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


def _describe(trial: Trial) -> dict[str, Any]:
    return {
        **asdict(trial.candidate),
        "model": str(trial.candidate.model),
        "milliseconds_a_face": {str(size): round(time, 3) for size, time in trial.milliseconds.items()},
        "flips": trial.flips,
        "largest_difference": trial.largest,
        "mean_difference": trial.mean,
        "refusal": trial.refusal or None,
    }


def _print(
    trials: Sequence[Trial], best: tuple[Trial, int] | None, crops: int, written: Path | None, faster: Path | None
) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("model", overflow="fold")
    for name in ("provider", "precision"):
        table.add_column(name)
    for name in ("threads", *(f"ms, {size}" for size in BATCH_SIZES), "flips", "largest", "mean"):
        table.add_column(name, justify="right")
    table.add_column("")
    for trial in trials:
        candidate = trial.candidate
        table.add_row(
            plain(candidate.model.name),
            candidate.provider.removesuffix("ExecutionProvider"),
            candidate.precision,
            str(candidate.threads),
            *(f"{trial.milliseconds[size]:.2f}" if size in trial.milliseconds else "-" for size in BATCH_SIZES),
            *("-" if value is None else form.format(value) for value, form in _differences(trial)),
            plain(f"refused: {trial.refusal}", "red") if trial.refusal else _mark(trial, best),
        )
    console().print(table)
    console().print(
        f"ms, N: time of a face in batches of N; flips: share of {crops} crops with another label than from the model"
    )
    if written:
        console().print(plain(f"the choice is in {written}"))
    if faster:
        console().print(plain(f"faster yet is {faster}: to use it, pass it as --model, and tune it by that name"))


def _differences(trial: Trial) -> list[tuple[float | None, str]]:
    return [(trial.flips, "{:.1%}"), (trial.largest, "{:.4f}"), (trial.mean, "{:.5f}")]


def _mark(trial: Trial, best: tuple[Trial, int] | None) -> str:
    return f"[green]chosen, batches of {best[1]}[/green]" if best and best[0] is trial else ""
