"""Tests that every detector passes; an author subclasses them with one fixture. Needs the ``testing`` extra.

::

    import pytest
    from maskcheck.testing import DetectorTests

    class TestMyDetector(DetectorTests):
        @pytest.fixture
        def detector(self):
            return MyDetector()

The detector has to find the face of a portrait, in the portrait as it is, moved, mirrored and at other sizes. If it
finds something else (profiles, say), the subclass has two fixtures more: ``picture``, uint8 (H, W, 3), BGR, and
``faces``, (N, 4), where in it the detector has to find something. What a detector may have beside ``detect``
(``detect_batch``, ``labels``, ``describe``) is tested where it has it.

With the environment variable ``MASKCHECK_TEST_DATA`` naming a folder of annotated pictures in COCO form, the tests also
print a card of the detector: how many faces it finds, by size, and how long it takes.
"""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from maskcheck.detectors.api import Detections, Detector
from maskcheck.detectors.fusion import overlap
from maskcheck.detectors.guard import (
    describe_detector,
    detector_batch_size,
    detector_labels,
    detector_min_score,
    run_detector,
)
from maskcheck.evaluation.coco import read_coco
from maskcheck.evaluation.matching import Ranking
from maskcheck.evaluation.scoring import score_rankings
from maskcheck.pictures.decoding import load_image

TEST_DATA = "MASKCHECK_TEST_DATA"
"""Environment variable: a folder of annotated pictures, for the card."""

SURE = 0.5
"""Score from which a detector says that something is a face."""

FACE = (60, 92, 170, 222)
"""The face in the kit's own picture, from hairline to chin and from ear to ear; measured by eye, to a few pixels."""

MEETS = 0.4
"""Least intersection over union with a face at which a box is taken for it; boxes are drawn by many customs."""

SAME_BOX = 0.9
"""Least intersection over union of the box of a face in a batch with that of the same face alone."""

SAME_SCORE = 0.02
"""Most by which scores and probabilities of a face in a batch may differ from those of the same face alone."""

_SIZES = {
    "one pixel": (1, 1),
    "one row": (1, 40),
    "very wide": (8, 3000),
    "very tall": (3000, 8),
    "odd": (241, 317),
    "large": (1500, 8000),
}
# Of the picture, however small an author's own may be.
_VIEWS: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    "mirrored": lambda picture: picture[:, ::-1],
    "every second pixel": lambda picture: picture[::2, ::2],
    "a part": lambda picture: picture[3:-2, 4:-1],
    "turned": lambda picture: picture.transpose(1, 0, 2),
    "RGB to BGR": lambda picture: picture[:, :, ::-1],
}


def _noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _same(first: Detections, second: Detections) -> bool:
    """Whether two detections are equal in every number."""
    arrays = [(each.boxes, each.scores, each.landmarks, each.probabilities) for each in (first, second)]
    return all(
        here is there if here is None or there is None else np.array_equal(here, there)
        for here, there in zip(*arrays, strict=True)
    )


def _expect_alike(batch: Detections, alone: Detections, least: float) -> None:
    """Fail unless each face of a batch that a user sees is there alone, and the other way round."""
    for what, faces, others in (("alone", alone, batch), ("in the batch", batch, alone)):
        for index in np.flatnonzero(faces.scores >= least + SAME_SCORE):
            overlaps = overlap(faces.boxes[index : index + 1], others.boxes)[0]
            best = int(overlaps.argmax()) if len(others) else -1
            assert best >= 0, f"expected the face {faces.boxes[index].tolist()}, found {what}, both times; got none"
            assert overlaps[best] >= SAME_BOX, (
                f"expected the box {faces.boxes[index].tolist()}, found {what}, both times;"
                f" got {others.boxes[best].tolist()}"
            )
            assert abs(faces.scores[index] - others.scores[best]) <= SAME_SCORE
            if faces.probabilities is not None and others.probabilities is not None:
                assert np.abs(faces.probabilities[index] - others.probabilities[best]).max() <= SAME_SCORE


def _boxes(faces: ArrayLike) -> NDArray[np.float32]:
    return np.asarray(faces, np.float32).reshape(-1, 4)


def _on_canvas(
    picture: NDArray[np.uint8], faces: NDArray[np.float32], corner: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The picture in a corner of a grey canvas with twice its sides, and its faces there."""
    height, width = picture.shape[:2]
    x, y = width * corner[0], height * corner[1]
    canvas = np.full((2 * height, 2 * width, 3), 128, np.uint8)
    canvas[y : y + height, x : x + width] = picture
    return canvas, faces + np.array([x, y, x, y], np.float32)


def _expect_found(detections: Detections, faces: NDArray[np.float32], what: str, least: float) -> None:
    """Fail, with what was found, unless each face has a box of its own with a sufficient score."""
    sure = detections[detections.scores >= least]
    best = overlap(faces, sure.boxes).max(axis=1, initial=0)
    missed = faces[best < MEETS]
    assert not len(missed), (
        f"{what}: expected boxes near {missed.round().tolist()} (intersection over union of {MEETS} or more)"
        f" with scores of {least:g} or more; got {len(detections)} boxes, the best ones"
        f" {detections.boxes[np.argsort(-detections.scores)[:3]].round().tolist()} with scores"
        f" {np.sort(detections.scores)[::-1][:3].round(3).tolist()}"
    )


class DetectorTests:
    """The contract of a detector: what the pipeline relies on. Subclass it, with a fixture ``detector``."""

    @pytest.fixture
    def detector(self) -> Detector:
        """The detector under test; every subclass gives its own."""
        raise NotImplementedError("give the subclass of DetectorTests a fixture `detector`")

    @pytest.fixture
    def picture(self) -> NDArray[np.uint8]:
        """A picture in which the detector finds something: uint8 (H, W, 3), BGR. A portrait, 240 x 288."""
        return load_image(files("maskcheck.testing").joinpath("face.jpg").read_bytes()).pixels.copy()

    @pytest.fixture
    def faces(self) -> ArrayLike:
        """Where in ``picture`` it must: (N, 4), ``x1, y1, x2, y2`` in pixels."""
        return [FACE]

    def test_finds_the_faces(self, detector: Detector, picture: NDArray[np.uint8], faces: ArrayLike) -> None:
        """Each face has a box near it, with a score that reaches the detector's ``default_min_score``."""
        _expect_found(detector.detect(picture), _boxes(faces), "the picture as it is", _least(detector))

    @pytest.mark.parametrize("corner", [(0, 0), (1, 0), (0, 1), (1, 1)], ids=str)
    def test_finds_the_faces_where_they_are_moved_to(
        self, detector: Detector, picture: NDArray[np.uint8], faces: ArrayLike, corner: tuple[int, int]
    ) -> None:
        """The boxes go with the picture when it lies in a corner of a larger one; none stays behind."""
        canvas, moved = _on_canvas(picture, _boxes(faces), corner)
        detections = detector.detect(canvas)
        _expect_found(detections, moved, f"the picture in corner {corner} of one twice as large", _least(detector))
        x, y = picture.shape[1] * (1 - corner[0]), picture.shape[0] * (1 - corner[1])
        opposite = np.array([[x, y, x + picture.shape[1], y + picture.shape[0]]], np.float32)
        centres = (detections.boxes[:, :2] + detections.boxes[:, 2:]) / 2
        blank = ((centres > opposite[:, :2]) & (centres < opposite[:, 2:])).all(axis=1)
        assert not (detections.scores[blank] >= max(_least(detector), SURE)).any(), (
            f"expected nothing in the blank part {opposite[0].tolist()}, got {detections.boxes[blank].round().tolist()}"
        )

    def test_finds_the_faces_of_a_mirrored_picture(
        self, detector: Detector, picture: NDArray[np.uint8], faces: ArrayLike
    ) -> None:
        """What looked to the left and looks to the right is a face as well."""
        width = picture.shape[1]
        mirrored = _boxes(faces)[:, [2, 1, 0, 3]] * np.array([-1, 1, -1, 1], np.float32) + np.array(
            [width, 0, width, 0], np.float32
        )
        detections = detector.detect(np.ascontiguousarray(picture[:, ::-1]))
        _expect_found(detections, mirrored, "the mirrored picture", _least(detector))

    @pytest.mark.parametrize("scale", [0.75, 1.5])
    def test_finds_the_faces_at_another_size(
        self, detector: Detector, picture: NDArray[np.uint8], faces: ArrayLike, scale: float
    ) -> None:
        """The boxes grow and shrink with the picture."""
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        resized = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=method), np.uint8)
        expected = _boxes(faces) * np.float32(scale)
        _expect_found(detector.detect(resized), expected, f"the picture at scale {scale}", _least(detector))

    @pytest.mark.parametrize("size", _SIZES.values(), ids=_SIZES.keys())
    def test_finds_boxes_inside_a_picture_of_any_size(self, detector: Detector, size: tuple[int, int]) -> None:
        """The result is Detections, whose own checks cover shapes, dtypes and the range of scores."""
        height, width = size
        detections = detector.detect(_noise(height, width))
        assert isinstance(detections, Detections)
        assert (detections.boxes >= 0).all()
        assert (detections.boxes <= [width, height, width, height]).all()

    def test_finds_nothing_in_a_blank_picture(self, detector: Detector) -> None:
        """A plain grey picture holds nothing that is likely to be a face."""
        assert not (detector.detect(np.full((200, 200, 3), 128, np.uint8)).scores >= SURE).any()

    def test_leaves_the_picture_as_it_is(self, detector: Detector, picture: NDArray[np.uint8]) -> None:
        """The caller's array is only read."""
        before = picture.copy()
        detector.detect(picture)
        assert np.array_equal(picture, before)

    def test_takes_a_picture_that_cannot_be_written(self, detector: Detector, picture: NDArray[np.uint8]) -> None:
        """In a read-only array it finds the same."""
        writable = _some(detector, picture)
        picture.flags.writeable = False
        assert _same(detector.detect(picture), writable)

    @pytest.mark.parametrize("view", _VIEWS.values(), ids=_VIEWS.keys())
    def test_takes_a_view_of_an_array(
        self, detector: Detector, picture: NDArray[np.uint8], view: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
    ) -> None:
        """An array with any strides gives what its contiguous copy gives."""
        seen = view(picture)
        assert _same(detector.detect(seen), detector.detect(np.ascontiguousarray(seen)))

    def test_finds_the_faces_in_a_view(self, detector: Detector, picture: NDArray[np.uint8], faces: ArrayLike) -> None:
        """A part of a larger array, with gaps between its rows and pixels, is a picture like its copy."""
        wide = np.repeat(np.repeat(picture, 2, axis=0), 2, axis=1)
        wide[1::2] = wide[:, 1::2] = 0  # what lies between must not be looked at
        _expect_found(detector.detect(wide[::2, ::2]), _boxes(faces), "a view with gaps", _least(detector))

    def test_gives_equal_results_for_equal_pictures(self, detector: Detector, picture: NDArray[np.uint8]) -> None:
        """Detection is repeatable."""
        assert _same(_some(detector, picture), detector.detect(picture.copy()))

    def test_may_be_shared_by_threads(self, detector: Detector, picture: NDArray[np.uint8], faces: ArrayLike) -> None:
        """Several threads at once get what a single thread gets, each the faces of its own picture."""
        corners = [(0, 0), (1, 0), (0, 1), (1, 1)] * 2
        pictures = [_on_canvas(picture, _boxes(faces), corner)[0] for corner in corners]
        alone = [_some(detector, each) for each in pictures]
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(detector.detect, pictures))
        assert all(_same(first, second) for first, second in zip(alone, together, strict=True))

    def test_survives_pickling(self, detector: Detector, picture: NDArray[np.uint8]) -> None:
        """A copy sent to another process finds the same, before the first picture and after it."""
        fresh: Detector = pickle.loads(pickle.dumps(detector))
        detections = _some(detector, picture)
        used: Detector = pickle.loads(pickle.dumps(detector))
        assert _same(detections, fresh.detect(picture))
        assert _same(detections, used.detect(picture))

    def test_finds_in_a_batch_what_it_finds_alone(
        self, detector: Detector, picture: NDArray[np.uint8], faces: ArrayLike
    ) -> None:
        """If it has ``detect_batch``: for several pictures and for one, the results of each, in order."""
        detect_batch: Any = getattr(detector, "detect_batch", None)
        if detect_batch is None:
            pytest.skip("the detector has no detect_batch")
        assert detector_batch_size(detector) >= 1
        corners = [(0, 0), (1, 1), (0, 1), (1, 0)]
        pictures = [_on_canvas(picture, _boxes(faces), corner)[0] for corner in corners]
        for canvas in pictures:
            canvas.flags.writeable = False
        for batch in (pictures, pictures[1:2]):
            detections = detect_batch(batch)
            assert isinstance(detections, list)
            assert len(detections) == len(batch), "expected the Detections of each picture"
            for together, canvas in zip(detections, batch, strict=True):
                _expect_alike(together, _some(detector, canvas), _least(detector))

    def test_gives_a_probability_of_each_label(self, detector: Detector, picture: NDArray[np.uint8]) -> None:
        """If it has ``labels``, each face has probabilities of them; else none has any."""
        detections = run_detector(detector, picture, name=type(detector).__name__)
        labels = detector_labels(detector)
        if labels is None:
            assert detections.probabilities is None
        else:
            assert len(_some(detector, picture))
            assert detections.probabilities is not None
            assert detections.probabilities.shape[1] == len(labels)

    def test_describes_what_it_runs_with(self, detector: Detector) -> None:
        """If it has ``describe``: the same each time and after pickling, with a whole hash, where there is one."""
        if getattr(detector, "describe", None) is None:
            pytest.skip("the detector has no describe")
        name = type(detector).__name__
        description = describe_detector(detector, name=name)
        assert description.model is None or Path(description.model).name == description.model
        assert description.model_sha256 is None or re.fullmatch("[0-9a-f]{64}", description.model_sha256)
        assert all(isinstance(provider, str) for provider in description.providers)
        copied: Detector = pickle.loads(pickle.dumps(detector))
        assert describe_detector(detector, name=name) == describe_detector(copied, name=name) == description

    def test_card(self, detector: Detector, capsys: pytest.CaptureFixture[str]) -> None:
        """Prints what the detector finds in annotated pictures, if there are some."""
        folder = os.environ.get(TEST_DATA)
        if not folder:
            pytest.skip(f"{TEST_DATA} names no folder of annotated pictures")
        card = detector_card(detector, Path(folder))
        with capsys.disabled():
            print(f"\n{card}")


def _least(detector: Detector) -> float:
    return detector_min_score(detector)


def _some(detector: Detector, picture: NDArray[np.uint8]) -> Detections:
    """What is found in a picture that holds faces; without any, a comparison would show nothing."""
    detections = detector.detect(picture)
    assert len(detections), (
        "expected something to be found in a picture with faces; give the class the fixture `picture`"
    )
    return detections


def detector_card(detector: Detector, folder: Path) -> str:
    """What a detector finds in annotated pictures, and how long it takes, as lines of text.

    Args:
        detector: Any detector.
        folder: Annotated pictures in COCO form.

    Raises:
        SourceError: The folder holds no such data.
    """
    pictures = read_coco(folder).pictures
    rankings, times = [], []
    for picture in pictures:
        pixels = load_image(picture.path).pixels
        started = perf_counter()
        detections = detector.detect(pixels)
        times.append((perf_counter() - started) * 1000)
        rankings.append(Ranking(picture.boxes, picture.ignored, detections.boxes, detections.scores))
    scores = score_rankings(rankings)
    lines = [
        f"{detector}",
        f"{len(pictures)} pictures of {folder.name}, median {np.median(times):.1f} ms a picture",
        f"{'faces':>14} {'':>5} {'AP50':>6} {'recall':>6}",
    ]
    lines += [
        f"{size:>14} {score.faces:>5} {score.ap50:>6.3f} {score.recall:>6.3f}"
        for size, score in scores.items()
        if score.faces
    ]
    return "\n".join(lines)
