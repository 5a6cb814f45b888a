"""The main job: a picture in, every face with its mask label out."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from functools import partial
from numbers import Real
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from maskcheck._version import __version__
from maskcheck.classifier.api import Classifier
from maskcheck.classifier.mask_classifier import MaskClassifier
from maskcheck.classifier.second_look import Look
from maskcheck.detectors.api import Detector
from maskcheck.detectors.guard import are_shares, detector_labels, detector_min_score, warm_up_detector
from maskcheck.engine.classification import look_at
from maskcheck.engine.ending import GRACE, Interruption
from maskcheck.engine.engine import Engine, StageOrigin, make_faces
from maskcheck.engine.preparation import Preparation, Preparer, clip
from maskcheck.engine.prepared import PreparedFrame
from maskcheck.engine.runner import FrameEngine, Runner, Ticket
from maskcheck.engine.streaming import stream_in_order
from maskcheck.frames import Frame
from maskcheck.hosting.creation import check_options, create_classifier, create_detector, missing_members
from maskcheck.hosting.registry import default_registry, find_classifier
from maskcheck.pictures.decoding import ImageLike, load_image
from maskcheck.pictures.limits import DEFAULT_LIMITS, DecodingLimits
from maskcheck.results import Face, FrameResult, Receipt
from maskcheck.runtime.config import SessionConfig
from maskcheck.runtime.cpu import default_thread_count
from maskcheck.runtime.forking import renew_after_fork
from maskcheck.runtime.precision import Precision
from maskcheck.runtime.providers import Provider
from maskcheck.sources.reader import FrameReader

if TYPE_CHECKING:
    from maskcheck.events import Event, Line, WatchSettings, Zone
    from maskcheck.tracking.settings import TrackingSettings


class MaskPipeline:
    """Face detector and mask classifier together.

    Making one is quick; models are loaded on first use in each process, or by :meth:`warm_up`. An instance may be
    shared by threads, and pickled as its configuration. :meth:`close`, or the end of a ``with`` block, ends the threads
    of :meth:`submit`.

    Args:
        detector: Name of a registered detector, or an object with ``detect(image) -> Detections``. If it has them, its
            attribute ``default_min_score`` and its methods ``warm_up``, ``detect_batch`` and ``describe`` are used.
        detector_options: Options of a detector given by name; ``maskcheck detectors`` lists them.
        classifier: ``auto``: the detector's own labels if it gives some, else ``mask``, the classifier of `model`. Or
            the name of a registered classifier, an object like :class:`Classifier`, or None for a detector that labels
            the faces itself.
        classifier_options: Options of a classifier that a plugin offers.
        model: An ONNX file made by ``maskcheck-export`` for the classifier ``mask``; ``small`` for the small embedded
            model, several times as fast and a little less accurate; by default, the large embedded one.
        device: ``auto`` (CUDA if it is active, else CPU), ``cpu``, ``cuda`` or ``cuda:N``; for detector and classifier.
        providers: ONNX Runtime execution providers in order of preference, instead of `device`.
        threads: Threads of each session; by default, the CPUs that the process may use.
        batch_size: Most faces that are classified in one run; by default, 32.
        precision: ``auto``, ``stored``, ``int8`` or ``float32``, as in :class:`MaskClassifier`, which also says when a
            choice of ``maskcheck doctor --tune`` is in force.
        model_timeout: Seconds that loading the model may take, and each run, as in :class:`MaskClassifier`.
        max_memory: Bytes that runs of the model on the CPU may take, as in :class:`MaskClassifier`.
        min_score: Least detection score, in [0, 1], of a face that is reported. By default, 0.5 where the classifier
            takes a second look at what the detector proposes, else the detector's own. Which detectors, by name, the
            model file says (``maskcheck info``).
        limits: What a picture may cost; one that costs more is refused before it is decoded.
        tile: Give the detector overlapping slices of that side, in pixels, 64 or more, of pictures that are larger:
            it finds small faces in large pictures, in bounded memory. By default, the whole picture.
        max_faces: Most faces of a picture that are classified, the best first; a note of the result says how many were
            left out.
        timeout: Seconds that a picture may take to be decoded and searched for faces; one that takes longer gives
            :class:`PictureTimeout`. By default, any time. Python cannot stop a thread: what is stuck goes on in the
            background, in a thread of its own, and holds its memory.
        max_wait: Most seconds that a frame whose faces are found waits for others to share its batch. It waits only
            while other frames are on their way; a submitted one only while others wait for a thread.

    Attributes:
        on_batch: Called by a thread of :meth:`submit` after each batch, with its pictures and its faces; to be set
            before the first picture.

    Raises:
        DetectorNotFound, ClassifierNotFound: No detector or classifier of that name.
        PluginError: A plugin failed.
        DetectorOptionError: An option that the detector or the classifier does not take.
        ModelNotFound: There is no such model file.
        ValueError: An argument out of its range, or one that does not go with the others.
    """

    def __init__(
        self,
        detector: str | Detector = "haar",
        *,
        detector_options: Mapping[str, Any] | None = None,
        classifier: str | Classifier | None = "auto",
        classifier_options: Mapping[str, Any] | None = None,
        model: str | os.PathLike[str] | None = None,
        device: str = "auto",
        providers: Sequence[Provider] | None = None,
        threads: int | None = None,
        batch_size: int | None = None,
        precision: Precision = "auto",
        model_timeout: float | None = None,
        max_memory: int | None = None,
        min_score: float | None = None,
        limits: DecodingLimits = DEFAULT_LIMITS,
        tile: int | None = None,
        max_faces: int = 1000,
        timeout: float | None = None,
        max_wait: float = 0.25,
    ) -> None:
        if isinstance(max_faces, bool) or not isinstance(max_faces, int) or max_faces < 1:
            raise ValueError(f"max_faces: expected a whole number from 1, got {max_faces!r}")
        if timeout is not None and not 0 < timeout < threading.TIMEOUT_MAX:
            raise ValueError(f"timeout: expected seconds, more than 0, or None, got {timeout!r}")
        if not 0 <= max_wait < threading.TIMEOUT_MAX:
            raise ValueError(f"max_wait: expected seconds, 0 or more, got {max_wait!r}")
        session = SessionConfig(device, providers, threads)
        found, origin, default_min_score = _make_detector(detector, detector_options, session)
        self.detector_name = origin.name
        self.detector_options = dict(origin.options)
        self.tile = tile
        self.detector: Detector = found
        if tile is not None:
            from maskcheck.detectors.tiling import TiledDetector

            self.detector = TiledDetector(found, tile)
        mask_options = {
            "model": model,
            "device": device,
            "providers": providers,
            "threads": threads,
            "batch_size": batch_size,
            "precision": precision,
            "timeout": model_timeout,
            "max_memory": max_memory,
        }
        self.classifier, classifier_origin = _make_classifier(
            classifier, classifier_options, mask_options, session, labelled=detector_labels(found) is not None
        )
        self.limits = limits
        self.max_faces = max_faces
        self.timeout = timeout
        self.max_wait = max_wait
        preparer = Preparer(
            self.detector,
            self.detector_name,
            self.classifier,
            limits,
            None if min_score is None else _checked_score(min_score),
            _checked_score(default_min_score),
            max_faces,
        )
        self._engine = Engine(preparer, origin, classifier_origin, tile=tile)
        self.batch_size = (batch_size or 32) if self.classifier is None else self.classifier.batch_size
        self.on_batch: Callable[[int, int], object] | None = None
        self._closed = False
        self._runner: Runner | None = None
        self._starting = threading.Lock()
        renew_after_fork(self)

    def __call__(self, image: ImageLike | Frame) -> FrameResult:
        """Find and classify the faces of one picture.

        Args:
            image: A path, the bytes of a file, a ``PIL.Image``, an array: uint8 (H, W, 3), BGR, or a :class:`Frame`.

        Raises:
            ImageError: The picture cannot be decoded.
            PluginError: The detector failed.
            PictureTimeout: Decoding and detection took longer than `timeout`.
            RuntimeUnavailable, ModelError: The classifier cannot run; raised on first use.
        """
        self._warm_up_classifier()
        frame = Frame.of(image)
        if self.timeout is None:
            (result,) = self.finish([self.prepare(frame)])
        else:  # in a thread that can be left alone
            (result,) = self._stream([frame], 1, 1, Interruption(), keep_images=False)
        if result.error is not None:
            raise result.error
        return result

    def stream(
        self,
        frames: Iterable[ImageLike | Frame],
        *,
        batch_size: int | None = None,
        workers: int | None = None,
        stop: threading.Event | None = None,
        keep_images: bool = False,
    ) -> Generator[FrameResult, None, None]:
        """Find and classify the faces of many pictures, in order; faces of several pictures share batches.

        Threads decode the next pictures and find faces in them while earlier ones are classified and their results
        used, so the timings of results overlap. Pictures are taken from `frames` in the caller's thread, as results
        are asked for, and never more than two batches and two for each worker ahead. A batch is classified when it is
        full, when its first picture has waited for `max_wait`, or when `frames` pauses, as a camera does. Arrays and
        buffers are copied when they are taken, so `frames` may fill one again and again. Closing the iterator ends the
        threads; one that works on a picture for more than a second then is left to end by itself.

        A picture that cannot be read, or on which the detector fails or takes too long, gives a result with its
        ``error``, and so does a :class:`Frame` with an error; the others go on. If `frames` raises, so does the
        iterator, after the results of what came before. On Ctrl-C, it gives what is finished before it raises
        ``KeyboardInterrupt``.

        Args:
            frames: Pictures, each as in a call.
            batch_size: Most faces, and most pictures, that are classified together; by default, that of the pipeline.
                With 1, each result comes before the next picture is taken, and none is copied.
            workers: Threads that decode and detect; by default, two, or one where one CPU may be used.
            stop: Once it is set, by any thread or a signal handler, no more pictures are taken, and the iterator ends
                after what is nearly finished: in about a second, even where a detector hangs.
            keep_images: Give each result the decoded picture, as its ``image``, so that it need not be decoded again
                to be drawn on. Fewer pictures are then taken ahead, to hold at most 256 MB of them.

        Raises:
            TypeError: `frames` is one picture, or nothing that pictures can be taken from.
            RuntimeError: The pipeline is closed.
            RuntimeUnavailable, ModelError: The classifier cannot run; raised at the first result.
            PluginError: The detector cannot load what it needs; raised at the first result.
        """
        _expect_many(frames)
        self._expect_open()
        limit, workers = self._checked_sizes(batch_size, workers)
        return self._stream(frames, limit, workers, Interruption(stop), keep_images=keep_images)

    def track(
        self,
        frames: Iterable[ImageLike | Frame],
        *,
        detect_every: int = 1,
        settings: TrackingSettings | None = None,
        batch_size: int | None = None,
        stop: threading.Event | None = None,
        keep_images: bool = False,
    ) -> Generator[FrameResult, None, None]:
        """Follow faces through the frames of a video or camera: each face has the ``track_id`` of its person.

        Works as :meth:`stream` does. Labels and confidences are those of the track, smoothed over time, so they do not
        flicker; a face that is sure of its label is classified only a few times a second. On frames between those that
        the detector gets, faces are where the tracker expects them (``predicted``). When the source of the frames
        changes, tracks begin anew, and their numbers with 1: a person is known by source and number together.

        Args:
            frames: What :func:`open_source` gives for a video, a camera or an address, or any frames in order.
            detect_every: The detector gets every so many frames, 1 or more: with 3, the first, the fourth, and so on.
            settings: Of the tracker.
            batch_size: As in :meth:`stream`; by default 1 for a live source, so that no frame waits for another.
            stop: As in :meth:`stream`.
            keep_images: Give each result its picture.

        Raises:
            ValueError: `detect_every` is less than 1.
            PackageNotInstalled: scipy is missing.
            TypeError, RuntimeError, RuntimeUnavailable, ModelError, PluginError: As :meth:`stream`.
            SourceError: The source cannot be opened, or ends too early; after the results before it.
        """
        from maskcheck.tracking.settings import TrackingSettings
        from maskcheck.tracking.tracking_engine import TrackingEngine

        _expect_many(frames)
        self._expect_open()
        if detect_every < 1:
            raise ValueError(f"detect_every: expected 1 or more, got {detect_every}")
        if batch_size is None and isinstance(frames, FrameReader) and frames.is_live:
            batch_size = 1
        limit, _ = self._checked_sizes(batch_size, None)
        engine = TrackingEngine(self._engine, settings or TrackingSettings())
        # One thread that detects, as frames must come in order; detectors have threads of their own.
        return self._stream(
            frames,
            limit,
            1,
            Interruption(stop),
            keep_images=keep_images,
            detect_every=detect_every,
            engine=engine,
        )

    def watch(
        self,
        source: str | int | os.PathLike[str] | FrameReader | Iterable[ImageLike | Frame],
        *,
        zones: Iterable[Zone] = (),
        lines: Iterable[Line] = (),
        settings: WatchSettings | None = None,
        detect_every: int = 1,
        tracking: TrackingSettings | None = None,
        stop: threading.Event | None = None,
        crops: bool = True,
    ) -> Generator[Event, None, None]:
        """Tell who enters and leaves, and when a mask comes off or is put on, in a video or in front of a camera.

        ::

            for event in pipeline.watch("rtsp://camera/stream"):
                if isinstance(event, MaskRemoved):
                    ring_the_bell(event.crop)

        An event comes as soon as it is sure; its ``time`` is when it began. At the end of the source, who is in view
        leaves. Closing the iterator closes the source, unless it was given open.

        Args:
            source: What :func:`open_source` takes, or a reader, or frames, each with its time.
            zones: Parts of the picture; events say who goes into and out of them.
            lines: Lines in the picture; events say who crosses them, and in which direction.
            settings: When a change is an event.
            detect_every: As in :meth:`track`.
            tracking: Settings of the tracker.
            stop: As in :meth:`stream`; who is in view then leaves.
            crops: Give each event the best picture of the face so far.

        Raises:
            SourceError: The source cannot be opened, or ends too early; after the events before it.
            ValueError: A frame has no time; two zones or lines have the same name; `detect_every` is less than 1.
            TypeError, RuntimeError, RuntimeUnavailable, ModelError, PluginError: As :meth:`stream`.
        """
        from maskcheck.events import Watcher
        from maskcheck.sources.opening import open_source

        given = isinstance(source, FrameReader)
        reader = source if isinstance(source, FrameReader) else open_source(source)
        watcher = Watcher(zones=zones, lines=lines, settings=settings)
        results = self.track(reader, detect_every=detect_every, settings=tracking, stop=stop, keep_images=crops)

        def events() -> Generator[Event, None, None]:
            try:
                for result in results:
                    if reader.is_live and watcher.started is None:
                        watcher.started = datetime.now(UTC) - timedelta(seconds=result.time or 0.0)
                    yield from watcher.update(result)
                yield from watcher.finish()
            finally:
                results.close()
                if not given:
                    reader.close()

        return events()

    def batch(self, images: Iterable[ImageLike | Frame], *, keep_images: bool = False) -> list[FrameResult]:
        """Find and classify the faces of several pictures together: a list of what :meth:`stream` gives.

        Args:
            images: Pictures, each as in a call.
            keep_images: Give each result the decoded picture.

        Returns:
            A result for each picture, in order; with its ``error`` where it failed.

        Raises:
            TypeError, RuntimeError, RuntimeUnavailable, ModelError, PluginError: As :meth:`stream`.
        """
        return list(self.stream(images, keep_images=keep_images))

    def submit(self, image: ImageLike | Frame, *, keep_image: bool = False) -> Future[FrameResult]:
        """Hand in one picture from any thread; faces of pictures that are handed in together share batches.

        Two threads, which all callers share, decode and detect; another one classifies. They start with the first
        picture and end with :meth:`close`. Arrays and buffers are copied. For ``asyncio``:
        ``await asyncio.wrap_future(pipeline.submit(image))``.

        Args:
            image: A picture, as in a call.
            keep_image: Give the result the decoded picture, as its ``image``.

        Returns:
            A future of the result. It raises what a call would raise. Once cancelled, a picture on which the work has
            not begun is dropped.

        Raises:
            RuntimeError: The pipeline is closed.
        """
        self._expect_open()
        preparation = Preparation(Frame.of(image), keep_image)
        preparation.own(self.limits)
        ticket = _FutureTicket(preparation)
        self._shared_runner().submit(ticket)
        return ticket.future

    def prepare(self, image: ImageLike | Frame, *, keep_image: bool = False) -> PreparedFrame:
        """The first half of a call: decode a picture, find its faces, cut them out. Any thread or process may do it.

        Args:
            image: A picture, as in a call.
            keep_image: Give the result the decoded picture.

        Returns:
            The frame for :meth:`finish`, with its ``error`` if something failed. It holds no more than the picture's
            own memory.
        """
        (prepared,) = self._engine.prepare([Preparation(Frame.of(image), keep_image)])
        return prepared

    def finish(self, frames: Sequence[PreparedFrame]) -> list[FrameResult]:
        """The second half of a call: label the faces of prepared frames, in runs of at most `batch_size` faces.

        Args:
            frames: What :meth:`prepare` gave, here or in another process with the same configuration.

        Returns:
            A result for each frame, in order; what fails is the ``error`` of that frame.

        Raises:
            RuntimeUnavailable, ModelError: The classifier has never run, and does not.
        """
        return self._engine.finish(frames)

    def classify(self, image: ImageLike, boxes: ArrayLike) -> tuple[Face, ...]:
        """Classify faces that the caller found.

        Args:
            image: A picture, as in a call.
            boxes: (N, 4), ``x1, y1, x2, y2`` in pixels of the upright picture; clipped to it.

        Returns:
            One face for each box, which stays as it is, in the same order. ``detection_score`` is None, and ``face``
            says how likely the box is on a face, if the classifier does.

        Raises:
            ImageError: The picture cannot be decoded.
            ValueError: `boxes` has another shape, a box has no part inside the picture, or all are shares of it; or the
                pipeline has no classifier.
        """
        classifier = self.classifier
        if classifier is None:
            raise ValueError("classify: this pipeline has no classifier, because its detector labels the faces itself")
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
        clipped, inside = clip(wanted, pixels)
        if not inside.all():
            index = int(np.flatnonzero(~inside)[0])
            raise ValueError(
                f"boxes[{index}] = {wanted[index].tolist()}: expected x1 < x2 and y1 < y2, at least partly inside the"
                f" picture of {width} x {height} pixels"
            )
        step = classifier.batch_size  # cut batch by batch, so that memory does not grow with the boxes
        look = Look.joined(
            [
                look_at(classifier, classifier.crop(pixels, clipped[start : start + step]))
                for start in range(0, len(clipped), step)
            ]
        )
        return make_faces(clipped, look.probabilities, self.labels, [None] * len(clipped), face=look.face)

    def warm_up(self) -> None:
        """Load the classifier and the detector now, so that the first picture does not wait and a fault shows at once.

        Raises:
            PluginError: The detector cannot load what it needs.
            RuntimeUnavailable: No usable ONNX Runtime, or the provider asked for is not active.
            ModelError: The model file cannot be used.
        """
        self._warm_up_classifier()
        warm_up_detector(self.detector, name=self.detector_name)

    def close(self) -> None:
        """Finish what was handed in by :meth:`submit`, and end its threads. A closed pipeline takes no more pictures.

        A call, :meth:`prepare`, :meth:`finish` and :meth:`classify`, which need no threads, still work.
        """
        self._closed = True
        with self._starting:
            runner, self._runner = self._runner, None
        if runner is not None:
            runner.drain()
            runner.close(GRACE)

    def __enter__(self) -> MaskPipeline:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def labels(self) -> tuple[str, ...]:
        """Label of each probability, in order; loads the classifier."""
        return self._engine.labels

    @property
    def min_score(self) -> float:
        """Least detection score, in [0, 1], of a face that is reported; it may be changed.

        Where none was given, the classifier decides whether it is the detector's own, which loads it.

        Raises:
            ValueError: Set to something else.
            RuntimeUnavailable, ModelError: The classifier decides it, and cannot be loaded.
        """
        return self._engine.min_score

    @min_score.setter
    def min_score(self, value: float) -> None:
        self._engine.min_score = _checked_score(value)

    @property
    def receipt(self) -> Receipt:
        """Detector, classifier, providers and versions that results are made with; loads both."""
        return self._engine.receipt

    def renew(self) -> Any:
        """Forget the threads of :meth:`submit`, which a forked child does not have; the next call starts others."""
        forgotten = self.__dict__.get("_runner")
        self._runner = None
        self._starting = threading.Lock()
        return forgotten

    def __getstate__(self) -> dict[str, Any]:
        state = {key: value for key, value in self.__dict__.items() if key not in ("_runner", "_starting")}
        return state | {"on_batch": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.renew()
        renew_after_fork(self)

    def _stream(
        self,
        frames: Iterable[ImageLike | Frame],
        limit: int,
        workers: int,
        interruption: Interruption,
        *,
        keep_images: bool,
        detect_every: int = 1,
        engine: FrameEngine | None = None,
    ) -> Generator[FrameResult, None, None]:
        self.warm_up()
        make_runner = partial(self._make_runner, workers, limit, engine=engine)
        ahead = 1 if limit == 1 else 2 * limit + 2 * workers
        copied = ahead > 1 and not isinstance(frames, FrameReader)  # which gives a new array for each frame
        preparations = self._preparations(frames, detect_every, copied=copied, keep_images=keep_images)
        yield from stream_in_order(preparations, make_runner, ahead=ahead, interruption=interruption)

    def _preparations(
        self, frames: Iterable[ImageLike | Frame], detect_every: int, *, copied: bool, keep_images: bool
    ) -> Iterator[Preparation]:
        for position, image in enumerate(frames):
            frame = Frame.of(image, position)
            preparation = Preparation(frame, keep_images, search=position % detect_every == 0)
            if copied:
                preparation.own(self.limits)
            yield preparation

    def _checked_sizes(self, batch_size: int | None, workers: int | None) -> tuple[int, int]:
        """Faces in a batch, and threads."""
        limit = self.batch_size if batch_size is None else batch_size
        if limit < 1:
            raise ValueError(f"batch_size: expected 1 or more, got {batch_size}")
        if workers is None:
            workers = default_workers()
        if workers < 1:
            raise ValueError(f"workers: expected 1 or more, got {workers}")
        return limit, workers

    def _make_runner(
        self,
        workers: int,
        limit: int,
        on_change: Callable[[], object] = lambda: None,
        *,
        on_batch: Callable[[int, int], object] | None = None,
        prompt: bool = False,
        engine: FrameEngine | None = None,
    ) -> Runner:
        return Runner(
            engine or self._engine,
            workers=workers,
            batch_size=limit,
            prompt=prompt,
            max_wait=self.max_wait,
            timeout=self.timeout,
            on_change=on_change,
            on_batch=on_batch,
        )

    def _shared_runner(self) -> Runner:
        with self._starting:
            self._expect_open()
            if self._runner is None:
                self._runner = self._make_runner(
                    default_workers(), self.batch_size, on_batch=self.on_batch, prompt=True
                )
                weakref.finalize(self, self._runner.close, 0)
            return self._runner

    def _expect_open(self) -> None:
        if self._closed:
            raise RuntimeError("the pipeline is closed; make another one")

    def _warm_up_classifier(self) -> None:
        warm_up = getattr(self.classifier, "warm_up", None)
        if warm_up is not None:
            warm_up()


class _FutureTicket(Ticket):
    """A frame whose result is a future."""

    def __init__(self, preparation: Preparation) -> None:
        super().__init__(preparation)
        self.future: Future[FrameResult] = Future()

    def wanted(self) -> bool:
        return self.future.set_running_or_notify_cancel()

    def finish(self, result: FrameResult | None, exception: BaseException | None = None) -> None:
        super().finish(result, exception)
        if exception is None and result is not None:
            exception = result.error
        if exception is not None:
            self.future.set_exception(exception)
        else:
            assert result is not None
            self.future.set_result(result)


def default_workers() -> int:
    """Threads that decode and detect, where nobody says how many."""
    return min(2, default_thread_count())


def _make_detector(
    detector: str | Detector, options: Mapping[str, Any] | None, session: SessionConfig
) -> tuple[Detector, StageOrigin, float]:
    """The detector, where it comes from, and its least score."""
    if isinstance(detector, str):
        found = default_registry().find(detector)
        made = create_detector(found.spec, options, session)
        origin = StageOrigin(found.name, found.distribution, found.version, check_options(found.spec, options))
        return made, origin, detector_min_score(made, found.spec)
    if options:
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
    return detector, StageOrigin(type(detector).__name__), detector_min_score(detector)


def _make_classifier(
    classifier: str | Classifier | None,
    options: Mapping[str, Any] | None,
    mask_options: Mapping[str, Any],
    session: SessionConfig,
    *,
    labelled: bool,
) -> tuple[Classifier | None, StageOrigin | None]:
    """The classifier, and where it comes from; None for a detector that labels the faces itself."""
    if classifier == "auto":
        classifier = None if labelled else "mask"
    elif classifier is None and not labelled:
        raise ValueError(
            "classifier: None is for a detector that labels the faces itself; this one does not: give a classifier"
        )
    if classifier == "mask":
        if options:
            raise ValueError("classifier_options are for a classifier of a plugin; `mask` takes model, precision, ...")
        return MaskClassifier(**mask_options), StageOrigin("mask", "maskcheck", __version__)
    if mask_options["model"] is not None:
        raise ValueError("model: only the classifier `mask` takes a model file")
    if classifier is None:
        return None, None
    if isinstance(classifier, str):
        found = find_classifier(classifier)
        made = create_classifier(found.spec, options, session)
        return made, StageOrigin(found.name, found.distribution, found.version, check_options(found.spec, options))
    if options:
        raise ValueError("classifier_options are for a classifier given by name, not for an object")
    missing = missing_members(classifier)
    if isinstance(classifier, type) or missing:
        lacks = "a class; make an object of it" if isinstance(classifier, type) else f"without {', '.join(missing)}"
        raise ValueError(
            "classifier: expected a name, None, or an object with labels, batch_size, crop and __call__, got"
            f" {classifier!r}, {lacks}"
        )
    return classifier, StageOrigin(type(classifier).__name__)


def _checked_score(value: object) -> float:
    if not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise ValueError(f"min_score: expected a number in [0, 1], got {value!r}")
    return float(value)


def _expect_many(frames: object) -> None:
    one = isinstance(frames, (str, bytes, bytearray, memoryview, os.PathLike, Image.Image)) or hasattr(frames, "read")
    if isinstance(frames, np.ndarray) and frames.dtype.kind in "buif":  # more dimensions are a stack of pictures
        one = frames.ndim < 3 or (frames.ndim == 3 and frames.shape[2] in (1, 3, 4))
    many = hasattr(frames, "__iter__") or hasattr(frames, "__getitem__")
    if one or not many:
        got = f"an array of shape {frames.shape}" if isinstance(frames, np.ndarray) else type(frames).__name__
        raise TypeError(
            f"frames: expected an iterable of pictures, got {got}; for one picture call the pipeline, and for a file, a"
            " folder or a camera give open_source(...)"
        )
