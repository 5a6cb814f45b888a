"""Tests that every detector passes; an author subclasses them with one fixture. Needs the ``testing`` extra.

::

    import pytest
    from maskcheck.testing import DetectorTests

    class TestMyDetector(DetectorTests):
        @pytest.fixture
        def detector(self):
            return MyDetector()
"""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck.detectors.api import Detections, Detector

_SIZES = {"one pixel": (1, 1), "very wide": (8, 3000), "very tall": (3000, 8), "odd": (241, 317)}


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
    def test_takes_pictures_of_any_size(self, detector: Detector, size: tuple[int, int]) -> None:
        """The result is Detections, whose own checks cover shapes, dtypes and the range of scores."""
        assert isinstance(detector.detect(_noise(*size)), Detections)

    def test_finds_nothing_in_a_blank_picture(self, detector: Detector) -> None:
        """A picture of one grey holds no face."""
        assert len(detector.detect(np.full((200, 200, 3), 128, np.uint8))) == 0

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
        """A copy sent to another process finds the same."""
        picture = _noise(200, 300)
        copied: Detector = pickle.loads(pickle.dumps(detector))
        assert _same(detector.detect(picture), copied.detect(picture))
