"""Which way of running a model is the fastest on this machine, among those that give its results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.execution import Choice
from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.classifier.model import ModelInfo
from maskcheck.errors import MaskCheckError
from maskcheck.pictures.crops import Crops
from maskcheck.runtime.cpu import default_thread_count
from maskcheck.runtime.installed import import_runtime
from maskcheck.runtime.providers import CPU
from maskcheck.runtime.session import Precision

BATCH_SIZES = (1, 8, 16, 32, 64)
MOST_FLIPS = 0.01
"""Largest share of crops that a candidate may give another label than the model."""

_ROUNDS = 6
_EQUAL = 1.03  # up to this ratio of times, fewer threads and smaller batches are preferred
_REMOTE = "AzureExecutionProvider"  # loads everywhere, and runs nothing itself


@dataclass(frozen=True)
class Candidate:
    """A way of running a model.

    Attributes:
        model: The file that runs.
        provider: Execution provider.
        precision: As a session takes it.
        threads: Threads of the session.
    """

    model: Path
    provider: str
    precision: Precision
    threads: int


@dataclass
class Trial:
    """What was found of a candidate.

    Attributes:
        candidate: What was tried.
        milliseconds: Least time of a face by batch size, as other work only adds; none if it was refused.
        flips: Share of crops whose label is not the model's.
        largest: Largest difference of a probability.
        mean: Mean difference of the probabilities.
        refusal: Why it cannot be chosen, in words; empty if it can.
    """

    candidate: Candidate
    milliseconds: dict[int, float] = field(default_factory=dict)
    flips: float | None = None
    largest: float | None = None
    mean: float | None = None
    refusal: str = ""

    def choice(self, batch_size: int) -> Choice:
        """This way of running, without its file."""
        candidate = self.candidate
        return Choice(
            provider=candidate.provider,
            precision=candidate.precision,
            threads=candidate.threads,
            batch_size=batch_size,
        )


def list_candidates(model: Path, files: Sequence[Path], *, quantized: bool) -> list[Candidate]:
    """Every way of running a model here.

    Args:
        model: The model.
        files: Other files of the same classifier, in another precision.
        quantized: Whether the model is an int8 file, which can be computed in float as well.
    """
    most = default_thread_count()
    threads = sorted({*(2**power for power in range(most.bit_length()) if 2**power <= most), most})
    ways: list[tuple[Path, Precision]] = [(model, "stored")]
    ways += [(model, "float32")] if quantized else []
    ways += [(file, "stored") for file in files]
    return [
        Candidate(file, provider, precision, count)
        for provider in import_runtime().get_available_providers()
        if provider != _REMOTE
        for file, precision in ways
        for count in (threads if provider == CPU else [most])
    ]


def try_candidates(
    model: Path,
    candidates: Sequence[Candidate],
    crops: Crops,
    *,
    track: Callable[[range], Iterable[int]] = iter,
) -> list[Trial]:
    """Check every candidate against the model, and time those that give its labels.

    They take turns in every round, so that whatever else the machine does meets all alike.

    Args:
        model: The model. What is right is what it gives on the CPU; an int8 file in float, where nothing saturates.
        candidates: What to try.
        crops: uint8 (N, S, S, 3) RGB, as the model takes them; the more like faces, the better.
        track: Wraps the rounds, to show progress.

    Raises:
        RuntimeUnavailable, ModelError: The model itself does not run on the CPU.
    """
    reference = MaskClassifier(model, providers=[CPU], precision="stored")
    if reference.info.precision == "int8":
        reference = MaskClassifier(model, providers=[CPU], precision="float32")
    expected = reference(crops)
    trials = [Trial(candidate) for candidate in candidates]
    runners: list[tuple[Trial, MaskClassifier]] = []
    for trial in trials:
        try:
            runner = _load(trial.candidate)
            trial.refusal = _mismatch(runner.info, reference.info)
            if not trial.refusal:
                _compare(trial, runner(crops), expected)
        except MaskCheckError as error:
            trial.refusal = str(error)
        if not trial.refusal:
            runners.append((trial, runner))
    _time(runners, crops, track)
    return trials


def find_best(trials: Iterable[Trial]) -> tuple[Trial, int] | None:
    """The fastest candidate by time of a face, and its batch size; None if all were refused."""
    times = [(trial, size, time) for trial in trials for size, time in trial.milliseconds.items()]
    if not times:
        return None
    limit = _EQUAL * min(time for _, _, time in times)
    fast = [one for one in times if one[2] <= limit]
    trial, size, _ = min(fast, key=lambda one: (one[0].candidate.threads, one[1], one[2]))
    return trial, size


def find_faster_file(trials: Sequence[Trial], model: Path) -> Path | None:
    """The file of the fastest candidate, where it is another one and faster than every way of running the model."""
    best, own = find_best(trials), find_best(one for one in trials if one.candidate.model == model)
    if best is None or best[0].candidate.model == model:
        return None
    faster = own is None or best[0].milliseconds[best[1]] * _EQUAL < own[0].milliseconds[own[1]]
    return best[0].candidate.model if faster else None


def draw_crops(count: int, size: int) -> Crops:
    """Rough faces, half of them with a mask, for a comparison where no pictures are at hand; always the same.

    Args:
        count: How many.
        size: Side of a crop, in pixels.

    Returns:
        uint8 (count, size, size, 3), RGB.
    """
    generator = np.random.default_rng(0)
    return np.stack([_draw(generator, size, masked=index % 2 == 0) for index in range(count)])


def _draw(generator: np.random.Generator, size: int, *, masked: bool) -> NDArray[np.uint8]:
    crop = np.full((size, size, 3), generator.integers(0, 256, 3), np.uint8)
    skin = generator.integers((120, 80, 60), (255, 200, 170)).tolist()
    x, y = (round(size * part) for part in generator.uniform(0.45, 0.55, 2))
    unit = size * generator.uniform(0.3, 0.42)
    cv2.ellipse(crop, (x, y), (round(0.8 * unit), round(1.1 * unit)), 0, 0, 360, skin, -1)
    for side in (-1, 1):
        cv2.circle(crop, (round(x + side * 0.3 * unit), round(y - 0.3 * unit)), round(0.1 * unit), (30, 20, 20), -1)
    if masked:
        corner, opposite = (round(x - 0.65 * unit), y), (round(x + 0.65 * unit), round(y + 0.8 * unit))
        cv2.rectangle(crop, corner, opposite, generator.integers(0, 256, 3).tolist(), -1)
    else:
        cv2.ellipse(
            crop, (x, round(y + 0.5 * unit)), (round(0.3 * unit), round(0.1 * unit)), 0, 0, 360, (160, 60, 60), -1
        )
    noisy = crop + generator.normal(0, generator.uniform(2, 20), crop.shape)
    return np.asarray(cv2.GaussianBlur(np.clip(noisy, 0, 255).astype(np.uint8), (3, 3), 0), np.uint8)


def _load(candidate: Candidate) -> MaskClassifier:
    return MaskClassifier(
        candidate.model,
        providers=[candidate.provider],
        threads=candidate.threads,
        batch_size=max(BATCH_SIZES),
        precision=candidate.precision,
    )


def _mismatch(info: ModelInfo, expected: ModelInfo) -> str:
    for name in ("labels", "input_size", "crop_margin"):
        if getattr(info, name) != getattr(expected, name):
            return f"another classifier: {name} {getattr(info, name)}, expected {getattr(expected, name)}"
    return ""


def _compare(trial: Trial, probabilities: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    difference = np.abs(probabilities - expected)
    trial.flips = float((probabilities.argmax(axis=1) != expected.argmax(axis=1)).mean())
    trial.largest, trial.mean = float(difference.max()), float(difference.mean())
    # Written so that probabilities that are no numbers are refused too.
    if not (trial.flips <= MOST_FLIPS and np.isfinite(trial.largest)):
        trial.refusal = f"another label for {trial.flips:.1%} of the crops, at most {MOST_FLIPS:.0%} may differ"


def _time(
    runners: Sequence[tuple[Trial, MaskClassifier]], crops: Crops, track: Callable[[range], Iterable[int]]
) -> None:
    batches = {size: np.resize(crops, (size, *crops.shape[1:])) for size in BATCH_SIZES}
    for _ in track(range(_ROUNDS)):
        for size, batch in batches.items():
            for trial, runner in runners:
                started = perf_counter()
                runner(batch)
                milliseconds = (perf_counter() - started) * 1000 / size
                trial.milliseconds[size] = min(milliseconds, trial.milliseconds.get(size, milliseconds))
