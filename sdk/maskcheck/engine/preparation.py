"""The first half of the pipeline: decode a frame, find its faces, cut them out."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.api import Classifier
from maskcheck.classifier.second_look import Combination
from maskcheck.detectors.api import Detections, Detector
from maskcheck.detectors.guard import (
    described,
    detector_batch_size,
    of_signal_handler,
    run_detector,
    run_detector_batch,
)
from maskcheck.engine.prepared import PreparedFrame
from maskcheck.engine.second_look import DEFAULT_MIN_SCORE, PROPOSALS_PER_FACE, find_combination
from maskcheck.errors import ImageError, MaskCheckError
from maskcheck.frames import Frame
from maskcheck.pictures.crops import Crops
from maskcheck.pictures.decoding import BGRImage, load_image
from maskcheck.pictures.limits import DecodingLimits
from maskcheck.results import Timings


@dataclass(eq=False)
class Preparation:
    """A frame at work. What is known of it stays known when it fails, or takes too long in another thread.

    Attributes:
        frame: The frame; its image is let go once it is decoded.
        keep_image: Whether the result is to hold the decoded picture.
        search: Whether faces are searched for; without, the frame goes through to its result, in order.
        size: As of the prepared frame, and so on.
        detecting_since: When the search for faces began, by ``perf_counter``.
        refused: Why it is not even decoded.
    """

    frame: Frame
    keep_image: bool = False
    search: bool = True
    size: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = ()
    timings: Timings = field(default_factory=Timings)
    detecting_since: float | None = None
    refused: MaskCheckError | None = None

    @property
    def held_bytes(self) -> int:
        """Bytes of the pixels that it holds; files are decoded later."""
        image = self.frame.image
        return image.nbytes if isinstance(image, np.ndarray) else 0

    def own(self, limits: DecodingLimits) -> None:
        """Copy what the caller may fill anew while this waits; not what is refused anyway."""
        image = self.frame.image
        try:
            if isinstance(image, np.ndarray):
                shaped = image.ndim == 2 or (image.ndim == 3 and image.shape[2] <= 4)
                if shaped and image.shape[0] * image.shape[1] <= limits.max_pixels:
                    self.frame = replace(self.frame, image=np.array(image, order="C"))
            elif isinstance(image, (bytearray, memoryview)):
                self.frame = replace(self.frame, image=bytes(image))
        except Exception as error:  # no memory for it; an array may be of any kind
            self.refused = as_frame_error(error, self.frame.source, "cannot be copied")

    def decode(self, limits: DecodingLimits) -> BGRImage:
        """The pixels: uint8 (H, W, 3), BGR.

        Raises:
            MaskCheckError: There are none.
        """
        refused = self.refused or self.frame.error
        if refused is not None:
            raise refused
        started = perf_counter()
        image: Any = self.frame.image  # whatever it is: what is no picture is refused
        picture = load_image(image, limits=limits, source=self.frame.source)
        pixels = picture.pixels
        self.size = (pixels.shape[1], pixels.shape[0])
        self.notes = picture.notes
        self.timings = Timings(decode=milliseconds_since(started))
        return pixels

    def let_go(self) -> None:
        """Forget what was decoded, which may be a large array."""
        self.frame = replace(self.frame, image=None)

    def reading_error(self, error: Exception) -> MaskCheckError:
        """The error of the frame, which has no pixels. What the caller gave stays as it is: it may be still in use."""
        given = self.frame.error
        return given if error is given else as_frame_error(error, self.frame.source, "cannot be read")

    def failed(self, error: MaskCheckError) -> PreparedFrame:
        """The frame without faces, and why."""
        timings = self.timings
        if self.detecting_since is not None:
            timings = replace(timings, detect=milliseconds_since(self.detecting_since))
        return replace(self._prepared(), timings=timings, error=error)

    def found(
        self,
        detections: Detections,
        boxes: NDArray[np.float64],
        crops: Crops | None,
        pixels: BGRImage | None,
        notes: tuple[str, ...],
        timings: Timings,
    ) -> PreparedFrame:
        """The frame with its faces."""
        return replace(
            self._prepared(),
            notes=notes,
            timings=timings,
            boxes=boxes,
            scores=detections.scores,
            landmarks=detections.landmarks,
            probabilities=detections.probabilities,
            crops=crops,
            pixels=pixels,
            keep_image=self.keep_image,
            searched=self.search,
        )

    def _prepared(self) -> PreparedFrame:
        frame = self.frame
        return PreparedFrame(frame.source, frame.index, frame.time, self.size, self.notes, self.timings)


@dataclass(frozen=True)
class Preparer:
    """Decodes frames, finds their faces, and cuts them out for the classifier.

    Attributes:
        detector: Finds the faces.
        name: Of the detector, for messages.
        classifier: Whose crops are cut; None if the detector labels the faces itself.
        limits: What a picture may cost.
        given_min_score: Least score of a face that is kept; None for the default.
        detector_min_score: The default, if the classifier takes no second look at what this detector proposes.
        max_faces: Most faces of a frame that are kept, the best first.
    """

    detector: Detector
    name: str
    classifier: Classifier | None
    limits: DecodingLimits
    given_min_score: float | None
    detector_min_score: float
    max_faces: int

    @property
    def combination(self) -> Combination | None:
        """How the classifier's second look combines with the detector's scores; None without one.

        Raises:
            MaskCheckError: The classifier cannot be loaded.
        """
        return find_combination(self.classifier, self.name)

    @property
    def min_score(self) -> float:
        """Least score of a face that is kept: the detector's, or the combined one where there is a second look.

        Raises:
            MaskCheckError: It is the default, and the classifier, which may decide it, cannot be loaded.
        """
        if self.given_min_score is not None:
            return self.given_min_score
        return self.detector_min_score if self.combination is None else DEFAULT_MIN_SCORE

    @property
    def batch_size(self) -> int:
        """Most frames that the detector wants at once."""
        return detector_batch_size(self.detector, name=self.name)

    def prepare(self, preparations: Sequence[Preparation]) -> list[PreparedFrame]:
        """Prepare frames, several of one size in one call of the detector if it has ``detect_batch``.

        Returns:
            A prepared frame for each, in order; a failure is only that frame's.
        """
        prepared: dict[int, PreparedFrame] = {}
        decoded: list[tuple[int, Preparation, BGRImage]] = []
        for place, preparation in enumerate(preparations):
            try:
                decoded.append((place, preparation, preparation.decode(self.limits)))
            except Exception as error:
                if of_signal_handler(error):
                    raise
                prepared[place] = preparation.failed(preparation.reading_error(error))
            else:
                preparation.let_go()
        for place, preparation, pixels in decoded:
            if not preparation.search:
                prepared[place] = self._cut(preparation, pixels, Detections.empty())
        searched = [entry for entry in decoded if entry[1].search]
        for _, group in groupby(searched, key=lambda entry: entry[2].shape):
            entries = list(group)
            outcomes = self._detect([(preparation, pixels) for _, preparation, pixels in entries])
            for (place, preparation, pixels), outcome in zip(entries, outcomes, strict=True):
                prepared[place] = self._cut(preparation, pixels, outcome)
        return [prepared[place] for place in range(len(preparations))]

    def _detect(self, decoded: Sequence[tuple[Preparation, BGRImage]]) -> list[Detections | MaskCheckError]:
        if len(decoded) > 1 and self.batch_size > 1:
            started = perf_counter()
            for preparation, _ in decoded:
                preparation.detecting_since = started
            try:
                detections = run_detector_batch(self.detector, [pixels for _, pixels in decoded], name=self.name)
            except Exception as error:
                if of_signal_handler(error):
                    raise
                # Each by itself, then: the failure of one frame is not that of the others.
            else:
                share = milliseconds_since(started) / len(decoded)
                for preparation, _ in decoded:
                    preparation.timings = replace(preparation.timings, detect=share)
                return list(detections)
        return [self._detect_in(preparation, pixels) for preparation, pixels in decoded]

    def _detect_in(self, preparation: Preparation, pixels: BGRImage) -> Detections | MaskCheckError:
        started = preparation.detecting_since = perf_counter()
        try:
            detections = run_detector(self.detector, pixels, name=self.name)
        except Exception as error:
            if of_signal_handler(error):
                raise
            return as_frame_error(error, preparation.frame.source, "cannot be searched for faces")
        preparation.timings = replace(preparation.timings, detect=milliseconds_since(started))
        return detections

    def _cut(
        self, preparation: Preparation, pixels: BGRImage, detections: Detections | MaskCheckError
    ) -> PreparedFrame:
        if isinstance(detections, MaskCheckError):
            return preparation.failed(detections)
        try:
            started = perf_counter()
            combination = self.combination
            least = self.min_score if combination is None else combination.least
            most = self.max_faces if combination is None else self.max_faces * PROPOSALS_PER_FACE
            order = np.argsort(-detections.scores, kind="stable")
            kept = detections[order[detections.scores[order] >= least]]
            boxes, inside = clip(kept.boxes.astype(np.float64), pixels)
            boxes, kept = boxes[inside], kept[inside]
            notes = preparation.notes
            if len(boxes) > most:
                what = "faces" if combination is None else "possible faces"
                note = f"only the best {most:,} of {len(boxes):,} {what} were classified; raise max_faces"
                boxes, kept, notes = boxes[:most], kept[:most], (*notes, note)
            if self.classifier is not None and kept.probabilities is not None:
                kept = replace(kept, probabilities=None)  # the caller wants the labels of the classifier
            crops = None if self.classifier is None else cut_if_smaller(pixels, boxes, self.classifier)
            needed = preparation.keep_image or (self.classifier is not None and crops is None)
            timings = replace(preparation.timings, classify=milliseconds_since(started))
            return preparation.found(kept, boxes, crops, pixels if needed else None, notes, timings)
        except Exception as error:
            return preparation.failed(as_frame_error(error, preparation.frame.source, "has faces that cannot be cut"))


def cut_if_smaller(pixels: BGRImage, boxes: NDArray[np.float64], classifier: Classifier) -> Crops | None:
    """Crops of all faces of a picture; None if they are many and take more memory than the picture itself."""
    if len(boxes) > classifier.batch_size:
        crop = classifier.crop(pixels, boxes[:1])
        if len(boxes) * crop.nbytes > pixels.nbytes:
            return None
    return classifier.crop(pixels, boxes)


def clip(boxes: NDArray[np.float64], pixels: BGRImage) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Boxes clipped to the picture, and which of them have a part inside it."""
    height, width = pixels.shape[:2]
    clipped = np.clip(boxes, 0, [width, height, width, height])
    inside = np.logical_and.reduce(clipped[:, :2] < clipped[:, 2:], axis=1)  # False for NaN too
    return clipped, inside


def as_frame_error(error: BaseException, source: str | None, what: str) -> MaskCheckError:
    """An error of a frame, as one of ours; its traceback no longer holds the pixels, as results may be kept."""
    ours = error if isinstance(error, MaskCheckError) else None
    if ours is None:
        ours = ImageError(f"{source or 'the picture'} {what}: {described(error)}", source=source)
        ours.__cause__ = error
    seen: set[int] = set()
    cause: BaseException | None = ours
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        traceback.clear_frames(cause.__traceback__)
        cause = cause.__cause__ or cause.__context__
    return ours


def milliseconds_since(started: float) -> float:
    """Milliseconds since a time of ``perf_counter``."""
    return (perf_counter() - started) * 1000
