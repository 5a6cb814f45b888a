"""Feed mutated pictures and model files to the SDK, and report every fault.

    python tests/fuzz/fuzz.py pictures --count 20000
    python tests/fuzz/fuzz.py models --count 500 --keep faults
    python tests/fuzz/fuzz.py pictures --seconds 600 --seed 7
    python tests/fuzz/fuzz.py pictures --seed 7 --only 1234 --keep here

A fault is an exception other than ``MaskCheckError``, a crash of the process, more than 5 seconds, more than 1.2 GB of
memory, or an invalid result. The exit status is 1 if there is any.

Input number I depends only on the seed, on I, and on the versions of the libraries that write the pictures. Models need
`onnx`; HEIC pictures are included where `pillow-heif` is installed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import pickle
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before anything loads the runtime

from picture_mutations import mutated_picture
from picture_seeds import scene
from watched_workers import MAX_MEMORY, MAX_SECONDS, Outcome, Prepare, Prepared, Workers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from maskcheck import FrameResult, MaskPipeline

BOXES = np.array([(10, 5, 30, 40), (0, 0, 64, 48)], np.float32)
"""Boxes of faces in the valid picture, for a classifier."""

MODEL_LIMITS: dict[str, Any] = {"timeout": 1.0, "max_memory": 500_000_000}
"""Limits for a model file, as a program sets them for files that it does not trust."""

PIPELINE_EVERY = 10
"""Every tenth picture goes through the whole pipeline; the others are only decoded."""


def prepare_picture(seed: int, every: int, index: int) -> Prepared:
    """Mutated picture number `index`."""
    source, data = mutated_picture(seed, index)
    if index % every:
        return Prepared(source.name, partial(decode, data))
    pipeline()  # loaded before the time is taken
    return Prepared(source.name, partial(detect, data))


def decode(data: bytes) -> str:
    """Decode an encoded picture, and check the result."""
    from maskcheck import MaskCheckError, load_image

    try:
        picture = load_image(data)
    except MaskCheckError as error:
        return refused(error)
    pixels = picture.pixels
    assert pixels.dtype == np.uint8, pixels.dtype
    assert pixels.ndim == 3, pixels.shape
    assert pixels.shape[2] == 3, pixels.shape
    assert pixels.flags.c_contiguous
    assert pixels.size
    return "decoded, with a note" if picture.notes else "decoded"


def detect(data: bytes) -> str:
    """Write an encoded picture to a file, pass it to the pipeline, and check the result."""
    from maskcheck import MaskCheckError

    path = own_folder() / "picture"
    path.write_bytes(data)
    try:
        result = pipeline()(path)
    except MaskCheckError as error:
        return refused(error)
    check_result(result)
    return "whole pipeline"


def prepare_model(seed: int, index: int) -> Prepared:
    """Mutated model file number `index`."""
    from model_mutations import mutated_model

    kind, data = mutated_model(seed, index)
    path = own_folder() / f"model{index}.onnx"
    path.write_bytes(data)
    import_onnxruntime()
    return Prepared(kind, partial(classify, path))


def classify(path: Path) -> str:
    """Run a classifier file on two faces of the valid picture, and check the result."""
    from maskcheck import MaskCheckError, MaskClassifier

    try:
        classifier = MaskClassifier(path, device="cpu", threads=1, **MODEL_LIMITS)
        probabilities = classifier(classifier.crop(valid_picture(), BOXES))
    except MaskCheckError as error:
        return refused(error)
    finally:
        path.unlink()
    assert probabilities.shape == (len(BOXES), len(classifier.labels)), probabilities.shape
    assert probabilities.min() >= 0, probabilities
    assert np.allclose(probabilities.sum(axis=1), 1, atol=0.01), probabilities
    json.dumps([asdict(classifier.info), probabilities.tolist()], allow_nan=False).encode()
    return "classified"


def refused(error: Exception) -> str:
    """The name of the error, after a check that a program can handle it."""
    from maskcheck import PluginError

    assert not isinstance(error, PluginError), f"the detector is blamed: {error}"
    assert str(error)
    str(pickle.loads(pickle.dumps(error))).encode()
    return type(error).__name__


def check_result(result: FrameResult) -> None:
    """Raise AssertionError unless the result and its JSON are valid."""
    json.dumps(result.to_dict(), allow_nan=False).encode()
    width, height = result.size
    for face in result:
        x1, y1, x2, y2 = face.box
        assert 0 <= x1 < x2 <= width, face.box
        assert 0 <= y1 < y2 <= height, face.box
        assert all(0 <= share <= 1 for share in face.probabilities.values()), face
        assert math.isclose(sum(face.probabilities.values()), 1, abs_tol=0.01), face
        assert face.label in face.probabilities


@cache
def own_folder() -> Path:
    """A folder for this worker process alone."""
    folder = Path(os.environ["MASKCHECK_FUZZ_FOLDER"]) / str(os.getpid())
    folder.mkdir()
    return folder


@cache
def pipeline() -> MaskPipeline:
    """The pipeline for mutated pictures: the fastest of the SDK."""
    from maskcheck import MaskPipeline

    new = MaskPipeline("haar", detector_options={"preset": "fast"}, device="cpu", threads=1)
    new(valid_picture())
    return new


@cache
def import_onnxruntime() -> None:
    """Import ONNX Runtime before the time is taken."""
    import onnxruntime  # noqa: F401


@cache
def valid_picture() -> NDArray[np.uint8]:
    """A valid picture: uint8, (48, 64, 3), BGR."""
    return np.ascontiguousarray(scene()[..., ::-1])


def main() -> int:
    """Run the command."""
    options = parse()
    prepare: Prepare
    if options.what == "pictures":
        prepare = partial(prepare_picture, options.seed, options.pipeline_every)
    else:
        prepare = partial(prepare_model, options.seed)
    with tempfile.TemporaryDirectory(prefix="maskcheck-fuzz-") as folder:
        os.environ["MASKCHECK_FUZZ_FOLDER"] = folder
        os.environ["MASKCHECK_CONFIG_DIR"] = folder  # no settings of this machine
        started = time.monotonic()
        indices = numbers(options.only, options.start, options.count, options.seconds)
        report = Report(options.what, options.seed, options.keep)
        for outcome in Workers(prepare, 1 if options.only is not None else options.workers).run(indices):
            report.add(outcome)
    report.show(time.monotonic() - started)
    return 1 if report.faults else 0


def numbers(only: int | None, start: int, count: int | None, seconds: float | None) -> Iterator[int]:
    """Numbers of the inputs, up to `count` or until the time is over."""
    if only is not None:
        yield only
        return
    end = math.inf if seconds is None else time.monotonic() + seconds
    for number in itertools.count(start) if count is None else range(start, start + count):
        if time.monotonic() > end:
            return
        yield number


class Report:
    """Counts the outcomes and saves the inputs that cause a fault."""

    def __init__(self, what: str, seed: int, keep: Path | None) -> None:
        self.what, self.seed, self.keep = what, seed, keep
        self.results: Counter[str] = Counter()
        self.faults: list[Outcome] = []
        self.slowest = self.largest = Outcome(0, "", "")

    def add(self, outcome: Outcome) -> None:
        """Count an outcome; print a fault at once."""
        self.results[outcome.result] += 1
        if outcome.seconds > self.slowest.seconds:
            self.slowest = outcome
        if outcome.memory > self.largest.memory:
            self.largest = outcome
        if outcome.fault is None:
            return
        self.faults.append(outcome)
        print(f"FAULT {self.describe(outcome)}: {outcome.fault}")
        if outcome.detail:
            print(outcome.detail)
        if self.keep is not None:
            self.save(outcome)

    def describe(self, outcome: Outcome) -> str:
        """The arguments that repeat this input."""
        return f"{self.what} --seed {self.seed} --only {outcome.index} ({outcome.kind})"

    def save(self, outcome: Outcome) -> None:
        """Write the input to the folder for faults."""
        if self.what == "pictures":
            data = mutated_picture(self.seed, outcome.index)[1]
        else:
            from model_mutations import mutated_model

            data = mutated_model(self.seed, outcome.index)[1]
        assert self.keep is not None
        self.keep.mkdir(parents=True, exist_ok=True)
        (self.keep / f"{self.what}-{self.seed}-{outcome.index}").write_bytes(data)

    def show(self, elapsed: float) -> None:
        """Print the summary."""
        for result, count in self.results.most_common():
            print(f"{count:8}  {result}")
        print(f"slowest: {self.slowest.seconds:.2f} s, {self.describe(self.slowest)}")
        print(f"largest: {self.largest.memory / 1e6:.0f} MB, {self.describe(self.largest)}")
        fault_counts = Counter(outcome.fault for outcome in self.faults)
        counted = ", ".join(f"{count} x {fault}" for fault, count in fault_counts.most_common()) or "no fault"
        print(f"{self.results.total()} {self.what}, seed {self.seed}, {elapsed:.0f} s: {counted}")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("pictures", "models"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, help="how many inputs; by default as many as the time allows")
    parser.add_argument("--seconds", type=float, help="start no more inputs after this time; by default 60")
    parser.add_argument("--start", type=int, default=0, help="number of the first input")
    parser.add_argument("--only", type=int, metavar="I", help="run only input I")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write inputs that cause a fault to this folder")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--pipeline-every", type=int, default=PIPELINE_EVERY, metavar="N")
    options = parser.parse_args()
    if options.count is None and options.seconds is None:
        options.seconds = 60.0
    return options


if __name__ == "__main__":
    print(f"limits: {MAX_SECONDS:g} s and {MAX_MEMORY / 1e9:g} GB an input")
    sys.exit(main())
