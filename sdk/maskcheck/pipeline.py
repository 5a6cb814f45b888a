"""The main job: a picture in, every face with its mask label out."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskcheck._version import __version__
from maskcheck.ahead import map_ahead
from maskcheck.classifier import MaskClassifier
from maskcheck.cpu import default_thread_count
from maskcheck.detectors.api import Detections, Detector, OptionValue
from maskcheck.detectors.registry import check_options, create_detector, default_registry
from maskcheck.detectors.tiling import TiledDetector
from maskcheck.errors import MaskCheckError, PluginError
from maskcheck.pictures.crops import Crops
from maskcheck.pictures.decoding import BGRImage, ImageLike, load_image
from maskcheck.pictures.limits import DEFAULT_LIMITS, DecodingLimits
from maskcheck.results import Face, FrameResult, Receipt, Timings
from maskcheck.runtime import Precision, Provider, import_runtime

_ROUNDING = 0.01
"""By how much a detector's boxes may leave the picture, in pixels: what float32 loses in scaling."""


class MaskPipeline:
    """Face detector and mask classifier together.

    Making one is quick; the model is loaded on first use in each process, or by :meth:`warm_up`. An instance may be
    shared by threads, and pickled as its configuration.

    Args:
        detector: Name of a registered detector, or an object with ``detect(image) -> Detections``.
        detector_options: Options of a detector given by name; ``maskcheck detectors`` lists them.
        model: An ONNX file made by ``maskcheck-export``; by default, the embedded one.
        device: ``auto`` (CUDA if it is active, else CPU), ``cpu``, ``cuda`` or ``cuda:N``.
        providers: ONNX Runtime execution providers in order of preference, instead of `device`.
        threads: Threads of the classifier's session; by default, the CPUs that the process may use.
        batch_size: Most faces that are classified in one run; by default, 32.
        precision: ``auto``, ``stored``, ``int8`` or ``float32``, as in :class:`MaskClassifier`, which also says when a
            choice of ``maskcheck doctor --tune`` is in force.
        min_score: Least detection score, in [0, 1], of a face that is reported; by default, the detector's own.
        limits: What a picture may cost; one that costs more is refused before it is decoded.
        tile: Give the detector overlapping slices of that side, in pixels, 64 or more, of pictures that are larger:
            it finds small faces in large pictures, in bounded memory. By default, the whole picture.
        max_faces: Most faces of a picture that are classified, the best first; a note of the result says how many were
            left out.
        timeout: Seconds that a picture may take to be decoded and searched for faces; one that takes longer gives
            :class:`PictureTimeout`. By default, any time. Python cannot stop a thread: what is stuck goes on in the
            background, in a thread of its own, and holds its memory.

    Raises:
        DetectorNotFound: No detector of that name.
        PluginError: The detector's plugin failed.
        DetectorOptionError: An option that the detector does not take.
        ModelNotFound: There is no such model file.
        ValueError: An argument out of its range.
    """

    def __init__(
        self,
        detector: str | Detector = "haar",
        *,
        detector_options: Mapping[str, Any] | None = None,
        model: str | os.PathLike[str] | None = None,
        device: str = "auto",
        providers: Sequence[Provider] | None = None,
        threads: int | None = None,
        batch_size: int | None = None,
        precision: Precision = "auto",
        min_score: float | None = None,
        limits: DecodingLimits = DEFAULT_LIMITS,
        tile: int | None = None,
        max_faces: int = 1000,
        timeout: float | None = None,
    ) -> None:
        if min_score is not None and not 0 <= min_score <= 1:
            raise ValueError(f"min_score: expected a number in [0, 1], got {min_score}")
        if isinstance(max_faces, bool) or not isinstance(max_faces, int) or max_faces < 1:
            raise ValueError(f"max_faces: expected a whole number from 1, got {max_faces!r}")
        if timeout is not None and not 0 < timeout < threading.TIMEOUT_MAX:
            raise ValueError(f"timeout: expected seconds, more than 0, or None, got {timeout!r}")
        self.detector: Detector
        if isinstance(detector, str):
            found = default_registry().find(detector)
            self.detector_name = found.name
            self.detector_options: dict[str, OptionValue | None] = check_options(found.spec, detector_options)
            self.detector = create_detector(found.spec, detector_options)
            self.min_score = found.spec.default_min_score if min_score is None else min_score
        else:
            if detector_options:
                raise ValueError("detector_options are for a detector given by name, not for an object")
            if isinstance(detector, type):
                raise ValueError(
                    f"detector: expected a name or an object, got the class {detector.__name__}; make one of it:"
                    f" {detector.__name__}()"
                )
            if not isinstance(detector, Detector):
                raise ValueError(
                    f"detector: expected a name or an object with a method `detect`, got {type(detector).__name__}"
                )
            self.detector_name = type(detector).__name__
            self.detector_options = {}
            self.detector = detector
            default = getattr(detector, "default_min_score", 0.0)
            self.min_score = default if min_score is None else min_score
        self.tile = tile
        if tile is not None:
            self.detector = TiledDetector(self.detector, tile)
        self.classifier = MaskClassifier(
            model,
            device=device,
            providers=providers,
            threads=threads,
            batch_size=batch_size,
            precision=precision,
        )
        self.limits = limits
        self.max_faces = max_faces
        self.timeout = timeout

    def __call__(self, image: ImageLike) -> FrameResult:
        """Find and classify the faces of one picture.

        Args:
            image: A path, the bytes of a file, a ``PIL.Image``, or an array: uint8 (H, W, 3), BGR.

        Raises:
            ImageError: The picture cannot be decoded.
            PluginError: The detector failed.
            RuntimeUnavailable, ModelError: The classifier cannot run; raised on first use.
        """
        self.warm_up()
        return self._finish([self._detect(image, frame=0)])[0]

    def stream(
        self, frames: Iterable[ImageLike], *, batch_size: int | None = None, workers: int | None = None
    ) -> Generator[FrameResult, None, None]:
        """Find and classify the faces of many pictures, in order; faces of several pictures share batches.

        Threads decode the next pictures and find faces in them while earlier ones are classified and their results
        used, so the timings of results overlap. Pictures are taken from `frames` in the caller's thread, as results
        are asked for, and never more than two batches and two for each worker ahead. Closing the iterator ends the
        threads.

        A picture that cannot be read, or on which the detector fails, gives a result with its ``error``; the others
        go on. If `frames` raises, so does the iterator, after the results of what came before.

        Args:
            frames: Pictures, each as in a call.
            batch_size: Most faces, and most pictures, that are held together; by default, that of the pipeline. With
                1, each result comes before the next picture is taken, as a live camera wants it.
            workers: Threads that decode and detect; by default, two, or one where one CPU may be used.

        Raises:
            RuntimeUnavailable, ModelError: The classifier cannot run; raised at the first result.
        """
        limit = self.classifier.batch_size if batch_size is None else batch_size
        if limit < 1:
            raise ValueError(f"batch_size: expected 1 or more, got {batch_size}")
        if workers is None:
            workers = min(2, default_thread_count())
        if workers < 1:
            raise ValueError(f"workers: expected 1 or more, got {workers}")
        return self._stream(frames, limit, workers)

    def _stream(self, frames: Iterable[ImageLike], limit: int, workers: int) -> Generator[FrameResult, None, None]:
        self.warm_up()
        ahead = min(limit, 2 * workers)
        with (
            closing(map_ahead(self._try_detect, enumerate(frames), workers=workers, ahead=ahead)) as found,
            closing(map_ahead(self._finish, _batches(found, limit), workers=1, ahead=min(limit, 2))) as finished,
        ):
            for results in finished:
                yield from results

    def _try_detect(self, numbered: tuple[int, ImageLike]) -> _Detected | FrameResult:
        position, image = numbered
        source = _source(image)
        frame = 0 if source else position
        try:
            return self._detect(image, frame=frame)
        except MaskCheckError as error:
            return FrameResult((), (0, 0), source=source, frame=frame, error=error)

    def classify(self, image: ImageLike, boxes: ArrayLike) -> tuple[Face, ...]:
        """Classify faces that the caller found.

        Args:
            image: A picture, as in a call.
            boxes: (N, 4), ``x1, y1, x2, y2`` in pixels of the upright picture; clipped to it.

        Returns:
            One face for each box, in the same order; ``detection_score`` is None.

        Raises:
            ImageError: The picture cannot be decoded.
            ValueError: `boxes` has another shape, or a box has no part inside the picture.
        """
        pixels = load_image(image, limits=self.limits).pixels
        wanted = np.asarray(boxes, np.float64)
        if wanted.size == 0:
            return ()
        if wanted.ndim != 2 or wanted.shape[1] != 4:
            raise ValueError(f"boxes: expected shape (N, 4), x1 y1 x2 y2 in pixels, got {wanted.shape}")
        clipped, inside = _clip(wanted, pixels)
        if not inside.all():
            index = int(np.flatnonzero(~inside)[0])
            height, width = pixels.shape[:2]
            raise ValueError(
                f"boxes[{index}] = {wanted[index].tolist()}: expected x1 < x2 and y1 < y2, at least partly inside the"
                f" picture of {width} x {height} pixels"
            )
        step = self.classifier.batch_size  # cut batch by batch, so that memory does not grow with the boxes
        probabilities = [
            self.classifier(self.classifier.crop(pixels, clipped[start : start + step]))
            for start in range(0, len(clipped), step)
        ]
        return self._faces(clipped, np.concatenate(probabilities), [None] * len(clipped))

    def warm_up(self) -> None:
        """Load the classifier and the detector now, so that the first picture does not wait and a fault shows at once.

        Raises:
            PluginError: The detector cannot load what it needs.
            RuntimeUnavailable: No usable ONNX Runtime, or the provider asked for is not active.
            ModelError: The model file cannot be used.
        """
        _ = self.classifier.info
        warm_up = getattr(self.detector, "warm_up", None)
        if warm_up is not None:
            warm_up()

    @cached_property
    def receipt(self) -> Receipt:
        """Detector, model, providers and versions that results are made with; loads the classifier."""
        self.warm_up()
        return Receipt(
            detector=self.detector_name,
            detector_options=self.detector_options,
            min_score=self.min_score,
            tile=self.tile,
            model=Path(self.classifier.path).name,
            model_sha256=self.classifier.sha256,
            providers=self.classifier.providers,
            threads=self.classifier.threads,
            precision=self.classifier.precision,
            chosen_by=self.classifier.chosen_by,
            versions={
                "maskcheck": __version__,
                "onnxruntime": import_runtime().__version__,
                "opencv": cv2.__version__,
                "numpy": np.__version__,
            },
        )

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "receipt"}

    def _detect(self, image: ImageLike, *, frame: int) -> _Detected:
        started = perf_counter()
        picture = load_image(image, limits=self.limits)
        decoded = perf_counter()
        detections = self._run_detector(picture.pixels)
        detections = detections[np.argsort(-detections.scores, kind="stable")]
        detections = detections[detections.scores >= self.min_score]
        boxes, inside = _clip(detections.boxes.astype(np.float64), picture.pixels)
        boxes, scores = boxes[inside], detections.scores[inside]
        detected = perf_counter()
        crops = self.classifier.crop(picture.pixels, boxes)
        height, width = picture.pixels.shape[:2]
        return _Detected(
            size=(width, height),
            boxes=boxes,
            scores=scores,
            crops=crops,
            notes=picture.notes,
            source=_source(image),
            frame=frame,
            timings=Timings(
                decode=_ms(decoded - started),
                detect=_ms(detected - decoded),
                classify=_ms(perf_counter() - detected),
            ),
        )

    def _run_detector(self, pixels: BGRImage) -> Detections:
        try:
            detections = self.detector.detect(pixels)
        except MaskCheckError:
            raise
        except Exception as error:  # a plugin may raise anything; the other pictures go on
            raise PluginError(
                f"detector {self.detector_name} failed on a picture of shape {pixels.shape}:"
                f" {type(error).__name__}: {error}",
                plugin=self.detector_name,
            ) from error
        if not isinstance(detections, Detections):
            raise PluginError(
                f"detector {self.detector_name}: expected detect() to return Detections,"
                f" got {type(detections).__name__}",
                plugin=self.detector_name,
            )
        self._check_inside(detections.boxes, pixels)
        return detections

    def _check_inside(self, boxes: NDArray[np.float32], pixels: BGRImage) -> None:
        height, width = pixels.shape[:2]
        beyond = ((boxes < -_ROUNDING) | (boxes > np.array([width, height] * 2) + _ROUNDING)).any(axis=1)
        if beyond.any():
            index = int(np.flatnonzero(beyond)[0])
            raise PluginError(
                f"detector {self.detector_name}: expected boxes inside the picture of {width} x {height} pixels,"
                f" got boxes[{index}] = {boxes[index].tolist()}; it should return what Detections.clipped gives",
                plugin=self.detector_name,
            )

    def _finish(self, held: Sequence[_Detected | FrameResult]) -> list[FrameResult]:
        """Classify the faces of several pictures together."""
        crops = [found.crops for found in held if isinstance(found, _Detected)]
        if not crops:
            return [found for found in held if isinstance(found, FrameResult)]
        started = perf_counter()
        probabilities = self.classifier(np.concatenate(crops))
        elapsed = _ms(perf_counter() - started)
        results: list[FrameResult] = []
        done = 0
        for found in held:
            if isinstance(found, FrameResult):
                results.append(found)
                continue
            count = len(found.crops)
            share = elapsed * count / len(probabilities) if count else 0.0
            results.append(
                FrameResult(
                    faces=self._faces(found.boxes, probabilities[done : done + count], found.scores.tolist()),
                    size=found.size,
                    timings=replace(found.timings, classify=found.timings.classify + share),
                    source=found.source,
                    frame=found.frame,
                    notes=found.notes,
                    receipt=self.receipt,
                )
            )
            done += count
        return results

    def _faces(
        self,
        boxes: NDArray[np.float64],
        probabilities: NDArray[np.float32],
        scores: Sequence[float | None],
    ) -> tuple[Face, ...]:
        labels = self.classifier.labels
        return tuple(
            Face(
                box=_whole_pixels(box),
                label=labels[int(row.argmax())],
                confidence=float(row.max()),
                probabilities=dict(zip(labels, row.tolist(), strict=True)),
                detection_score=score,
            )
            for box, row, score in zip(boxes, probabilities, scores, strict=True)
        )


@dataclass(frozen=True, eq=False)
class _Detected:
    """A picture whose faces are found and cut out, but not yet classified; its pixels are let go."""

    size: tuple[int, int]
    boxes: NDArray[np.float64]
    scores: NDArray[np.float32]
    crops: Crops
    notes: tuple[str, ...]
    source: str | None
    frame: int
    timings: Timings


def _batches(found: Iterable[_Detected | FrameResult], limit: int) -> Iterator[list[_Detected | FrameResult]]:
    """Pictures together, until they or their faces are `limit`."""
    held: list[_Detected | FrameResult] = []
    faces = 0
    try:
        for one in found:
            held.append(one)
            faces += len(one.crops) if isinstance(one, _Detected) else 0
            if faces >= limit or len(held) >= limit:
                yield held
                held, faces = [], 0
    except Exception:  # of whoever gives the pictures
        yield held
        raise
    yield held


def _clip(boxes: NDArray[np.float64], pixels: BGRImage) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Boxes clipped to the picture, and which of them have a part inside it."""
    height, width = pixels.shape[:2]
    clipped = np.clip(boxes, 0, [width, height, width, height])
    inside = np.logical_and.reduce(clipped[:, :2] < clipped[:, 2:], axis=1)  # False for NaN too
    return clipped, inside


def _whole_pixels(box: NDArray[np.float64]) -> tuple[int, int, int, int]:
    x1, y1 = (int(edge) for edge in np.floor(box[:2]))
    x2, y2 = (int(edge) for edge in np.ceil(box[2:]))
    return x1, y1, x2, y2


def _source(image: ImageLike) -> str | None:
    return os.fspath(image) if isinstance(image, (str, os.PathLike)) else None


def _ms(seconds: float) -> float:
    return seconds * 1000
