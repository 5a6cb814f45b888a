"""The main job: a picture in, every face with its mask label out."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from numbers import Real
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from maskcheck._version import __version__
from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.detectors.api import Detector
from maskcheck.detectors.guard import are_shares, described, detector_min_score, run_detector, warm_up_detector
from maskcheck.detectors.tiling import TiledDetector
from maskcheck.engine.ahead import Interruption, map_ahead
from maskcheck.engine.batching import FoundFaces, batches, classify, cut_if_smaller
from maskcheck.errors import ImageError, MaskCheckError, ModelTimeout, PictureTimeout
from maskcheck.hosting.creation import check_options, create_detector
from maskcheck.hosting.registry import default_registry
from maskcheck.pictures.decoding import BGRImage, ImageLike, load_image
from maskcheck.pictures.limits import DEFAULT_LIMITS, DecodingLimits
from maskcheck.results import Face, FrameResult, Receipt, Timings
from maskcheck.runtime.cpu import default_thread_count
from maskcheck.runtime.installed import import_runtime
from maskcheck.runtime.providers import Provider
from maskcheck.runtime.session import Precision
from maskcheck.stages import OptionValue


class MaskPipeline:
    """Face detector and mask classifier together.

    Making one is quick; the model is loaded on first use in each process, or by :meth:`warm_up`. An instance may be
    shared by threads, and pickled as its configuration.

    Args:
        detector: Name of a registered detector, or an object with ``detect(image) -> Detections``. If the object has
            them, its attribute ``default_min_score`` is used, and its method ``warm_up()`` loads what it needs.
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
            default_min_score = detector_min_score(self.detector, found.spec)
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
            default_min_score = getattr(detector, "default_min_score", 0.0)
        self.min_score = default_min_score if min_score is None else min_score
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
        self._has_run = False

    def __call__(self, image: ImageLike) -> FrameResult:
        """Find and classify the faces of one picture.

        Args:
            image: A path, the bytes of a file, a ``PIL.Image``, or an array: uint8 (H, W, 3), BGR.

        Raises:
            ImageError: The picture cannot be decoded.
            PluginError: The detector failed.
            PictureTimeout: Decoding and detection took longer than `timeout`.
            RuntimeUnavailable, ModelError: The classifier cannot run; raised on first use.
        """
        _ = self.classifier.info
        job = _Job(image, _source(image))
        if self.timeout is None:
            found = self._detect(job)
        else:
            with closing(
                map_ahead(self._detect, [job], workers=1, ahead=1, timeout=self.timeout, late=self._raise_late)
            ) as one:
                found = next(one)
        started = perf_counter()
        (probabilities,) = classify([found], self.classifier)
        return self._result(found, probabilities, _ms(perf_counter() - started))

    def stream(
        self,
        frames: Iterable[ImageLike],
        *,
        batch_size: int | None = None,
        workers: int | None = None,
        stop: threading.Event | None = None,
    ) -> Generator[FrameResult, None, None]:
        """Find and classify the faces of many pictures, in order; faces of several pictures share batches.

        Threads decode the next pictures and find faces in them while earlier ones are classified and their results
        used, so the timings of results overlap. Pictures are taken from `frames` in the caller's thread, as results
        are asked for, and never more than two batches and two for each worker ahead. Arrays and buffers are copied
        when they are taken, so `frames` may fill one again and again. Closing the iterator ends the threads; one that
        works on a picture for more than a second then is left to end by itself.

        A picture that cannot be read, or on which the detector fails or takes too long, gives a result with its
        ``error``; the others go on. If `frames` raises, so does the iterator, after the results of what came before.
        On Ctrl-C, it gives what is finished before it raises ``KeyboardInterrupt``.

        Args:
            frames: Pictures, each as in a call.
            batch_size: Most faces, and most pictures, that are held together; by default, that of the pipeline. With
                1, each result comes before the next picture is taken, as a live camera wants it, and none is copied.
            workers: Threads that decode and detect; by default, two, or one where one CPU may be used.
            stop: Once it is set, by any thread or a signal handler, no more pictures are taken, and the iterator ends
                after what is nearly finished: in about a second, even where a detector hangs.

        Raises:
            TypeError: `frames` is one picture, or nothing that pictures can be taken from.
            RuntimeUnavailable, ModelError: The classifier cannot run; raised at the first result.
            PluginError: The detector cannot load what it needs; raised at the first result.
        """
        _expect_many(frames)
        limit = self.classifier.batch_size if batch_size is None else batch_size
        if limit < 1:
            raise ValueError(f"batch_size: expected 1 or more, got {batch_size}")
        if workers is None:
            workers = min(2, default_thread_count())
        if workers < 1:
            raise ValueError(f"workers: expected 1 or more, got {workers}")
        return self._stream(frames, limit, workers, Interruption(stop))

    def _stream(
        self, frames: Iterable[ImageLike], limit: int, workers: int, interruption: Interruption
    ) -> Generator[FrameResult, None, None]:
        self.warm_up()
        ahead = min(limit, 2 * workers)
        jobs = self._jobs(frames, interruption, copied=ahead > 1)
        with (
            closing(
                map_ahead(
                    self._try_detect,
                    jobs,
                    workers=workers,
                    ahead=ahead,
                    timeout=self.timeout,
                    late=self._late,
                    interruption=interruption,
                )
            ) as found,
            closing(
                map_ahead(
                    self._finish,
                    batches(found, limit),
                    workers=1,
                    ahead=min(limit, 2),
                    interruption=interruption,
                )
            ) as finished,
        ):
            for results in finished:
                yield from results

    def _jobs(self, frames: Iterable[ImageLike], interruption: Interruption, *, copied: bool) -> Iterator[_Job]:
        for position, image in enumerate(frames):
            source = _source(image)
            job = _Job(image, source, frame=0 if source else position)
            if copied:
                job.own(self.limits)
            yield job
            if interruption.deadline is not None:  # nothing more is wanted
                return

    def _try_detect(self, job: _Job) -> FoundFaces | FrameResult:
        try:
            return self._detect(job)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # in a thread of the stream, where it would end all other pictures, too
            return job.failed(_as_error(error, job.source, "cannot be processed"))

    def _late(self, job: _Job) -> FrameResult:
        assert self.timeout is not None
        doing = "decoded" if job.size == (0, 0) else f"searched for faces by detector {self.detector_name}"
        message = f"{job.source or 'the picture'} took longer than {self.timeout:g} s to be {doing}"
        error = PictureTimeout(f"{message}; raise timeout to allow it", source=job.source, timeout=self.timeout)
        return job.failed(error)

    def _raise_late(self, job: _Job) -> FoundFaces:
        error = self._late(job).error
        assert error is not None
        raise error

    def classify(self, image: ImageLike, boxes: ArrayLike) -> tuple[Face, ...]:
        """Classify faces that the caller found.

        Args:
            image: A picture, as in a call.
            boxes: (N, 4), ``x1, y1, x2, y2`` in pixels of the upright picture; clipped to it.

        Returns:
            One face for each box, in the same order; ``detection_score`` is None.

        Raises:
            ImageError: The picture cannot be decoded.
            ValueError: `boxes` has another shape, a box has no part inside the picture, or all are shares of it.
        """
        pixels = load_image(image, limits=self.limits).pixels
        wanted = np.asarray(boxes, np.float64)
        if wanted.size == 0:
            return ()
        if wanted.ndim != 2 or wanted.shape[1] != 4:
            raise ValueError(f"boxes: expected shape (N, 4), x1 y1 x2 y2 in pixels, got {wanted.shape}")
        height, width = pixels.shape[:2]
        if are_shares(wanted, pixels):
            raise ValueError(
                f"boxes: expected x1 y1 x2 y2 in pixels of the picture of {width} x {height}, got boxes from 0 to 1"
                f" such as {wanted[0].tolist()}; these look like shares of the picture: multiply them by its width and"
                " height"
            )
        clipped, inside = _clip(wanted, pixels)
        if not inside.all():
            index = int(np.flatnonzero(~inside)[0])
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
        warm_up_detector(self.detector, name=self.detector_name)

    @property
    def min_score(self) -> float:
        """Least detection score, in [0, 1], of a face that is reported; it may be changed.

        Raises:
            ValueError: Set to something else.
        """
        return self._min_score

    @min_score.setter
    def min_score(self, value: float) -> None:
        if not isinstance(value, Real) or not 0 <= value <= 1:
            raise ValueError(f"min_score: expected a number in [0, 1], got {value!r}")
        self._min_score: float = float(value)
        self.__dict__.pop("receipt", None)  # it says what is in force

    @cached_property
    def receipt(self) -> Receipt:
        """Detector, model, providers and versions that results are made with; loads the classifier."""
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
            versions=_versions(),
        )

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "receipt"} | {"_has_run": False}

    def _detect(self, job: _Job) -> FoundFaces:
        if job.refused is not None:
            raise job.refused
        started = perf_counter()
        picture = load_image(job.image, limits=self.limits)
        pixels = picture.pixels
        decoded = perf_counter()
        job.decoded(pixels, picture.notes, _ms(decoded - started))
        detections = run_detector(self.detector, pixels, name=self.detector_name)
        order = np.argsort(-detections.scores, kind="stable")
        order = order[detections.scores[order] >= self.min_score]
        boxes, inside = _clip(detections.boxes[order].astype(np.float64), pixels)
        boxes, scores = boxes[inside], detections.scores[order][inside]
        notes = job.notes
        if len(boxes) > self.max_faces:
            left_out = f"only the best {self.max_faces:,} of {len(boxes):,} faces were classified; raise max_faces"
            boxes, scores, notes = boxes[: self.max_faces], scores[: self.max_faces], (*notes, left_out)
        detected = perf_counter()
        crops = cut_if_smaller(pixels, boxes, self.classifier)
        return FoundFaces(
            boxes,
            scores,
            size=job.size,
            timings=Timings(job.timings.decode, _ms(detected - decoded), _ms(perf_counter() - detected)),
            source=job.source,
            frame=job.frame,
            notes=notes,
            cut=crops,
            pixels=pixels if crops is None else None,
        )

    def _finish(self, held: Sequence[FoundFaces | FrameResult]) -> list[FrameResult]:
        """Classify the faces of several pictures together."""
        found = [one for one in held if isinstance(one, FoundFaces)]
        started = perf_counter()
        outcomes = self._classify(found)
        share = _ms(perf_counter() - started) / max(sum(map(len, found)), 1)
        finished = iter(
            self._result(one, outcome, share * len(one))
            if isinstance(outcome, np.ndarray)
            else FrameResult(
                (), one.size, one.timings, source=one.source, frame=one.frame, notes=one.notes, error=outcome
            )
            for one, outcome in zip(found, outcomes, strict=True)
        )
        return [one if isinstance(one, FrameResult) else next(finished) for one in held]

    def _classify(self, found: Sequence[FoundFaces]) -> list[NDArray[np.float32] | MaskCheckError]:
        """Probabilities of the faces of each picture, or why there are none: a failure is only that picture's.

        Raises:
            MaskCheckError: The classifier has never run, and does not.
        """
        try:
            outcomes: list[NDArray[np.float32] | MaskCheckError] = list(classify(found, self.classifier))
        except Exception as error:
            first = error
        else:
            self._has_run = self._has_run or any(map(len, found))
            return outcomes
        outcomes = []
        for one in found:
            try:
                if len(one) and isinstance(first, ModelTimeout):  # to try again would take as long again, each time
                    raise first
                outcomes += classify([one], self.classifier)
            except Exception as error:
                outcomes.append(_as_error(error, one.source, "has faces that cannot be classified"))
            else:
                self._has_run = self._has_run or len(one) > 0
        if not self._has_run:
            raise first
        return outcomes

    def _result(self, found: FoundFaces, probabilities: NDArray[np.float32], classify: float) -> FrameResult:
        return FrameResult(
            faces=self._faces(found.boxes, probabilities, found.scores.tolist()),
            size=found.size,
            timings=replace(found.timings, classify=found.timings.classify + classify),
            source=found.source,
            frame=found.frame,
            notes=found.notes,
            receipt=self.receipt,
        )

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


@dataclass
class _Job:
    """A picture that is searched for faces; what is known of it when that fails stays known."""

    image: ImageLike
    source: str | None
    frame: int = 0
    size: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = ()
    timings: Timings = field(default_factory=Timings)
    refused: MaskCheckError | None = None
    detecting_since: float | None = None

    def own(self, limits: DecodingLimits) -> None:
        """Copy what the caller may fill anew while this waits; not what is refused anyway."""
        image = self.image
        try:
            if isinstance(image, np.ndarray):
                shaped = image.ndim == 2 or (image.ndim == 3 and image.shape[2] <= 4)
                if shaped and image.shape[0] * image.shape[1] <= limits.max_pixels:
                    self.image = np.array(image, order="C")
            elif isinstance(image, (bytearray, memoryview)):
                self.image = bytes(image)
        except Exception as error:  # no memory for it; an array may be of any kind
            self.refused = _as_error(error, self.source, "cannot be copied")

    def decoded(self, pixels: BGRImage, notes: tuple[str, ...], decode: float) -> None:
        """The picture is read."""
        self.size = (pixels.shape[1], pixels.shape[0])
        self.notes = notes
        self.timings = Timings(decode=decode)
        self.detecting_since = perf_counter()

    def failed(self, error: MaskCheckError) -> FrameResult:
        """A result that says why there are no faces."""
        timings = self.timings
        if self.detecting_since is not None:
            timings = replace(timings, detect=_ms(perf_counter() - self.detecting_since))
        return FrameResult((), self.size, timings, source=self.source, frame=self.frame, notes=self.notes, error=error)


def _as_error(error: BaseException, source: str | None, what: str) -> MaskCheckError:
    """An error of a picture, as one of ours; its traceback no longer holds the pixels, as results may be kept."""
    ours = error if isinstance(error, MaskCheckError) else None
    if ours is None:
        ours = ImageError(f"{source or 'the picture'} {what}: {described(error)}", source=source)
        ours.__cause__ = error
    seen: set[int] = set()
    one: BaseException | None = ours
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        traceback.clear_frames(one.__traceback__)
        one = one.__cause__ or one.__context__
    return ours


def _expect_many(frames: object) -> None:
    one = isinstance(frames, (str, bytes, bytearray, memoryview, os.PathLike, Image.Image)) or hasattr(frames, "read")
    if isinstance(frames, np.ndarray) and frames.dtype.kind in "buif":  # more dimensions are a stack of pictures
        one = frames.ndim < 3 or (frames.ndim == 3 and frames.shape[2] in (1, 3, 4))
    many = hasattr(frames, "__iter__") or hasattr(frames, "__getitem__")
    if one or not many:
        got = f"an array of shape {frames.shape}" if isinstance(frames, np.ndarray) else type(frames).__name__
        raise TypeError(f"frames: expected an iterable of pictures, got {got}; for one picture call the pipeline")


@cache
def _versions() -> dict[str, str]:
    return {
        "maskcheck": __version__,
        "onnxruntime": import_runtime().__version__,
        "opencv": cv2.__version__,
        "numpy": np.__version__,
    }


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
    """The path of a picture, as text, whatever kind of path it is."""
    return str.__str__(os.fsdecode(image)) if isinstance(image, (str, os.PathLike)) else None


def _ms(seconds: float) -> float:
    return seconds * 1000
