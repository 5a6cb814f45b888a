"""Tests that every detector passes; an author subclasses them with one fixture. Needs the ``testing`` extra.

::

    import pytest
    from maskcheck.testing import DetectorTests

    class TestMyDetector(DetectorTests):
        @pytest.fixture
        def detector(self):
            return MyDetector()

With the environment variable ``MASKCHECK_TEST_DATA`` naming a folder of annotated pictures in COCO form, the tests also
print a card of the detector: how many faces it finds, by size, and how long it takes.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck.coco import read_coco
from maskcheck.detectors.api import Detections, Detector
from maskcheck.pictures.decoding import load_image
from maskcheck.scoring import Ranking, score_rankings

TEST_DATA = "MASKCHECK_TEST_DATA"
"""Environment variable: a folder of annotated pictures, for the card."""

SURE = 0.5
"""Score from which a detector says that something is a face."""

_SIZES = {
    "one pixel": (1, 1),
    "one row": (1, 40),
    "very wide": (8, 3000),
    "very tall": (3000, 8),
    "odd": (241, 317),
    "large": (1500, 8000),
}
_VIEWS: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    "mirrored": lambda picture: picture[:, ::-1],
    "every second pixel": lambda picture: picture[::2, ::2],
    "a part": lambda picture: picture[11:171, 7:203],
    "turned": lambda picture: picture.transpose(1, 0, 2),
    "RGB to BGR": lambda picture: picture[:, :, ::-1],
}


def _noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _same(one: Detections, other: Detections) -> bool:
    return np.array_equal(one.boxes, other.boxes) and np.array_equal(one.scores, other.scores)


class DetectorTests:
    """The contract of a detector: what the pipeline relies on. Subclass it, with a fixture ``detector``."""

    @pytest.fixture
    def detector(self) -> Detector:
        """The detector under test; every subclass gives its own."""
        raise NotImplementedError("give the subclass of DetectorTests a fixture `detector`")

    @pytest.mark.parametrize("size", _SIZES.values(), ids=_SIZES.keys())
    def test_finds_boxes_inside_a_picture_of_any_size(self, detector: Detector, size: tuple[int, int]) -> None:
        """The result is Detections, whose own checks cover shapes, dtypes and the range of scores."""
        height, width = size
        found = detector.detect(_noise(height, width))
        assert isinstance(found, Detections)
        assert (found.boxes >= 0).all()
        assert (found.boxes <= [width, height, width, height]).all()

    def test_finds_nothing_in_a_blank_picture(self, detector: Detector) -> None:
        """A picture of one grey holds nothing that is surely a face."""
        assert not (detector.detect(np.full((200, 200, 3), 128, np.uint8)).scores >= SURE).any()

    def test_leaves_the_picture_as_it_is(self, detector: Detector) -> None:
        """The caller's array is only read."""
        picture = _noise(200, 300)
        before = picture.copy()
        detector.detect(picture)
        assert np.array_equal(picture, before)

    def test_takes_a_picture_that_cannot_be_written(self, detector: Detector) -> None:
        """A read-only array is a picture too."""
        picture = _noise(200, 300)
        picture.flags.writeable = False
        detector.detect(picture)

    @pytest.mark.parametrize("view", _VIEWS.values(), ids=_VIEWS.keys())
    def test_takes_a_view_of_an_array(
        self, detector: Detector, view: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
    ) -> None:
        """An array with any strides gives what its contiguous copy gives."""
        picture = view(_noise(200, 300))
        assert _same(detector.detect(picture), detector.detect(np.ascontiguousarray(picture)))

    def test_gives_equal_results_for_equal_pictures(self, detector: Detector) -> None:
        """Detection is repeatable."""
        picture = _noise(200, 300)
        assert _same(detector.detect(picture), detector.detect(picture.copy()))

    def test_may_be_shared_by_threads(self, detector: Detector) -> None:
        """Several threads at once get what one gets alone."""
        pictures = [_noise(100 + 20 * i, 300) for i in range(8)]
        alone = [detector.detect(picture) for picture in pictures]
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(detector.detect, pictures))
        assert all(_same(one, other) for one, other in zip(alone, together, strict=True))

    def test_survives_pickling(self, detector: Detector) -> None:
        """A copy sent to another process finds the same, before the first picture and after it."""
        picture = _noise(200, 300)
        fresh: Detector = pickle.loads(pickle.dumps(detector))
        found = detector.detect(picture)
        used: Detector = pickle.loads(pickle.dumps(detector))
        assert _same(found, fresh.detect(picture))
        assert _same(found, used.detect(picture))

    def test_card(self, detector: Detector, capsys: pytest.CaptureFixture[str]) -> None:
        """Prints what the detector finds in annotated pictures, if there are some."""
        folder = os.environ.get(TEST_DATA)
        if not folder:
            pytest.skip(f"{TEST_DATA} names no folder of annotated pictures")
        card = detector_card(detector, Path(folder))
        with capsys.disabled():
            print(f"\n{card}")


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
        found = detector.detect(pixels)
        times.append((perf_counter() - started) * 1000)
        ignored = np.zeros(len(picture.boxes), np.bool_)
        rankings.append(Ranking(picture.boxes, ignored, found.boxes, found.scores))
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
