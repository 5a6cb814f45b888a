"""Find the fastest settings to run a model on this machine, among those that keep its results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.classifier.model import ModelInfo
from maskcheck.classifier.tuned_choices import TunedChoice
from maskcheck.errors import MaskCheckError
from maskcheck.pictures.crops import Crops
from maskcheck.runtime.cpu import default_thread_count
from maskcheck.runtime.installed import import_runtime
from maskcheck.runtime.precision import Precision
from maskcheck.runtime.providers import CPU

BATCH_SIZES = (1, 8, 16, 32, 64)
MOST_FLIPS = 0.01
"""Settings are refused if a larger share of the crops gets another label than from the model."""

_ROUNDS = 6
_TOLERANCE = 1.03  # times within this ratio count as equal: then fewer threads and smaller batches are better
_REMOTE = "AzureExecutionProvider"  # loads everywhere, but runs no model itself


@dataclass(frozen=True)
class RunSettings:
    """Settings with which a model can run.

    Attributes:
        model: The model file.
        provider: Execution provider.
        precision: Precision of the session.
        threads: Threads of the session.
    """

    model: Path
    provider: str
    precision: Precision
    threads: int


@dataclass
class Measurement:
    """Speed and results of a model with some settings.

    Attributes:
        settings: The settings.
        milliseconds: Shortest time of a face, by batch size. It is the shortest because other work on the machine only
            adds time. Empty if the settings were refused.
        flips: Share of crops whose label is not the model's.
        largest: Largest difference of a probability.
        mean: Mean difference of the probabilities.
        refusal: Why the settings cannot be chosen; empty if they can.
    """

    settings: RunSettings
    milliseconds: dict[int, float] = field(default_factory=dict)
    flips: float | None = None
    largest: float | None = None
    mean: float | None = None
    refusal: str = ""

    def choice(self, batch_size: int) -> TunedChoice:
        """The settings without their file, and with a batch size."""
        return TunedChoice(
            provider=self.settings.provider,
            precision=self.settings.precision,
            threads=self.settings.threads,
            batch_size=batch_size,
        )


def list_settings(model: Path, files: Sequence[Path], *, quantized: bool) -> list[RunSettings]:
    """All settings with which a model can run here.

    Args:
        model: The model.
        files: Other files of the same classifier, in another precision.
        quantized: Whether the model is an int8 file, which can also run in float32.
    """
    most = default_thread_count()
    thread_counts = sorted({*(2**power for power in range(most.bit_length()) if 2**power <= most), most})
    versions: list[tuple[Path, Precision]] = [(model, "stored")]
    versions += [(model, "float32")] if quantized else []
    versions += [(file, "stored") for file in files]
    return [
        RunSettings(file, provider, precision, threads)
        for provider in import_runtime().get_available_providers()
        if provider != _REMOTE
        for file, precision in versions
        for threads in (thread_counts if provider == CPU else [most])
    ]


def measure_settings(
    model: Path,
    settings: Sequence[RunSettings],
    crops: Crops,
    *,
    track: Callable[[range], Iterable[int]] = iter,
) -> list[Measurement]:
    """Compare the results of all settings with the model's, and time those that keep its labels.

    All settings run in every round, so that other work on the machine slows them alike.

    Args:
        model: The model. Its results on the CPU are the correct ones; those of an int8 file in float32, where no
            number saturates.
        settings: The settings to measure.
        crops: uint8 (N, S, S, 3) RGB, as the model takes them; the more they look like faces, the better.
        track: Wraps the rounds, to show progress.

    Raises:
        RuntimeUnavailable, ModelError: The model itself does not run on the CPU.
    """
    reference = MaskClassifier(model, providers=[CPU], precision="stored")
    if reference.info.precision == "int8":
        reference = MaskClassifier(model, providers=[CPU], precision="float32")
    expected = reference(crops)
    measurements = [Measurement(each) for each in settings]
    accepted: list[tuple[Measurement, MaskClassifier]] = []
    for measurement in measurements:
        try:
            classifier = _classifier(measurement.settings)
            measurement.refusal = _mismatch(classifier.info, reference.info)
            if not measurement.refusal:
                _compare(measurement, classifier(crops), expected)
        except MaskCheckError as error:
            measurement.refusal = str(error)
        if not measurement.refusal:
            accepted.append((measurement, classifier))
    _time(accepted, crops, track)
    return measurements


def find_fastest(measurements: Iterable[Measurement]) -> tuple[Measurement, int] | None:
    """The measurement with the shortest time of a face, and its batch size; None if all settings were refused."""
    timings = [
        (measurement, size, time) for measurement in measurements for size, time in measurement.milliseconds.items()
    ]
    if not timings:
        return None
    limit = _TOLERANCE * min(time for _, _, time in timings)
    fast = [timing for timing in timings if timing[2] <= limit]
    measurement, size, _ = min(fast, key=lambda timing: (timing[0].settings.threads, timing[1], timing[2]))
    return measurement, size


def find_faster_file(measurements: Sequence[Measurement], model: Path) -> Path | None:
    """The file of the fastest measurement, if it is another one and faster than the model with any settings."""
    fastest = find_fastest(measurements)
    if fastest is None or fastest[0].settings.model == model:
        return None
    own = find_fastest(measurement for measurement in measurements if measurement.settings.model == model)
    faster = own is None or fastest[0].milliseconds[fastest[1]] * _TOLERANCE < own[0].milliseconds[own[1]]
    return fastest[0].settings.model if faster else None


def _classifier(settings: RunSettings) -> MaskClassifier:
    return MaskClassifier(
        settings.model,
        providers=[settings.provider],
        threads=settings.threads,
        batch_size=max(BATCH_SIZES),
        precision=settings.precision,
    )


def _mismatch(info: ModelInfo, expected: ModelInfo) -> str:
    for name in ("labels", "input_size", "crop_margin", "second_look"):
        if getattr(info, name) != getattr(expected, name):
            return f"another classifier: {name} {getattr(info, name)}, expected {getattr(expected, name)}"
    return ""


def _compare(measurement: Measurement, probabilities: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    difference = np.abs(probabilities - expected)
    measurement.flips = float((probabilities.argmax(axis=1) != expected.argmax(axis=1)).mean())
    measurement.largest, measurement.mean = float(difference.max()), float(difference.mean())
    # Written so that NaN is refused too.
    if not (measurement.flips <= MOST_FLIPS and np.isfinite(measurement.largest)):
        measurement.refusal = (
            f"another label for {measurement.flips:.1%} of the crops, at most {MOST_FLIPS:.0%} may differ"
        )


def _time(
    accepted: Sequence[tuple[Measurement, MaskClassifier]], crops: Crops, track: Callable[[range], Iterable[int]]
) -> None:
    batches = {size: np.resize(crops, (size, *crops.shape[1:])) for size in BATCH_SIZES}
    for _ in track(range(_ROUNDS)):
        for size, batch in batches.items():
            for measurement, classifier in accepted:
                started = perf_counter()
                classifier(batch)
                milliseconds = (perf_counter() - started) * 1000 / size
                measurement.milliseconds[size] = min(milliseconds, measurement.milliseconds.get(size, milliseconds))
