from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from maskcheck import Detections, Detector, DetectorOptionError, MaskPipeline, PluginError, load_image
from maskcheck.detectors.haar import HaarDetector, check_cascades
from maskcheck.detectors.registry import DetectorRegistry, create_detector
from maskcheck.images import BGRImage

SPEC = DetectorRegistry(list).find("haar").spec
CASCADES = next(option for option in SPEC.options if option.name == "cascade").choices or ()

FACE = (165, 145, 352, 365)
"""The face of the portrait, from hairline to chin and from ear to ear, measured by eye."""


@pytest.fixture
def picture(portrait: Path) -> BGRImage:
    return load_image(portrait).pixels


def overlap(first: Any, second: Any) -> float:
    """Intersection over union of two boxes."""
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = first, second
    inside = max(0, min(ax2, bx2) - max(ax1, bx1)) * max(0, min(ay2, by2) - max(ay1, by1))
    return float(inside / ((ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - inside))


def haar(**options: Any) -> Detector:
    """The detector as users make it, its options checked."""
    return create_detector(SPEC, options)


def same(first: Detections, second: Detections) -> bool:
    return np.array_equal(first.boxes, second.boxes) and np.array_equal(first.scores, second.scores)


def test_the_face_of_a_portrait_is_found_where_it_is(picture: BGRImage) -> None:
    found = haar().detect(picture)

    assert len(found) == 1
    assert overlap(found.boxes[0], FACE) > 0.6


def test_the_portrait_is_not_changed(picture: BGRImage) -> None:
    before = picture.copy()

    haar(upscale=1.5).detect(picture)

    assert np.array_equal(picture, before)


def test_a_read_only_picture_will_do(picture: BGRImage) -> None:
    picture.flags.writeable = False

    assert len(haar().detect(picture)) == 1


def test_detections_are_float32_with_scores_from_0_to_1(picture: BGRImage) -> None:
    found = haar(min_neighbors=0).detect(picture)  # hits that were not merged: good ones and bad ones

    assert len(found) > 1
    assert found.boxes.dtype == np.float32
    assert found.scores.dtype == np.float32
    assert found.scores.min() >= 0
    assert found.scores.max() <= 1
    assert len(set(found.scores.tolist())) > 1


def test_the_face_scores_higher_than_what_is_none(picture: BGRImage) -> None:
    noise = np.random.default_rng(6).integers(0, 256, (600, 600, 3), np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 6)
    contrast = np.asarray(cv2.normalize(smooth, np.empty_like(smooth), 0, 255, cv2.NORM_MINMAX), np.uint8)

    false_alarms = haar(cascade="frontal_default", min_neighbors=0).detect(contrast).scores
    face = haar(cascade="frontal_default").detect(picture).scores

    assert len(false_alarms) > 0
    assert np.median(false_alarms) < face.max()


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 5000), (5000, 1), (2, 3), (19, 19), (20, 20), (21, 4000), (240, 320)]
)
@pytest.mark.parametrize("brightness", [0, 255])
@pytest.mark.parametrize("upscale", [1, 2])
def test_a_blank_picture_of_any_size_has_no_face(height: int, width: int, brightness: int, upscale: float) -> None:
    blank = np.full((height, width, 3), brightness, np.uint8)

    found = haar(upscale=upscale).detect(blank)

    assert len(found) == 0
    assert found.boxes.shape == (0, 4)


def test_eight_threads_sharing_a_detector_find_what_one_finds(picture: BGRImage) -> None:
    detector = haar()
    half = picture[::2, ::2].copy()
    pictures = [half, half[:, ::-1].copy(), half[30:200, 50:210].copy(), half // 2]
    alone = [detector.detect(one) for one in pictures]
    start = threading.Barrier(8)

    def task(shift: int) -> list[Detections]:
        start.wait(timeout=60)
        return [detector.detect(pictures[(shift + turn) % 4]) for turn in range(4)]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(task, range(8)))

    assert all(len(found) > 0 for found in alone)
    for shift, results in enumerate(together):
        assert all(same(found, alone[(shift + turn) % 4]) for turn, found in enumerate(results))


def test_a_detector_that_was_used_can_be_pickled(picture: BGRImage) -> None:
    detector = haar(cascade="frontal_alt", min_neighbors=5)
    found = detector.detect(picture)

    copy = pickle.loads(pickle.dumps(detector))

    assert copy == detector
    assert same(copy.detect(picture), found)


@pytest.mark.parametrize("upscale", [1, 2])
def test_min_size_is_in_pixels_of_the_picture_and_excludes_smaller_faces(picture: BGRImage, upscale: float) -> None:
    # The face is about 200 pixels wide.
    assert len(haar(min_size=120, upscale=upscale).detect(picture)) == 1
    assert len(haar(min_size=300, upscale=upscale).detect(picture)) == 0


@pytest.mark.parametrize("upscale", [1.5, 2])
def test_boxes_of_an_enlarged_picture_are_in_pixels_of_the_picture(picture: BGRImage, upscale: float) -> None:
    (plain,) = haar().detect(picture).boxes
    (enlarged,) = haar(upscale=upscale).detect(picture).boxes

    assert overlap(plain, enlarged) > 0.85
    assert overlap(enlarged, FACE) > 0.6


def test_upscale_finds_a_face_that_is_too_small_otherwise(picture: BGRImage) -> None:
    small = np.asarray(cv2.resize(picture, None, fx=0.08, fy=0.08, interpolation=cv2.INTER_AREA), np.uint8)

    assert len(haar().detect(small)) == 0
    (box,) = haar(upscale=4).detect(small).boxes
    assert overlap(box, np.multiply(FACE, 0.08)) > 0.5


def test_fewer_neighbours_find_more(picture: BGRImage) -> None:
    assert len(haar(min_neighbors=0).detect(picture)) > len(haar(min_neighbors=3).detect(picture))


def test_there_are_several_cascades_to_choose_from() -> None:
    assert len(CASCADES) == 3


@pytest.mark.parametrize("cascade", CASCADES)
def test_every_cascade_finds_the_face(picture: BGRImage, cascade: str) -> None:
    found = haar(cascade=cascade).detect(picture)

    assert overlap(found.boxes[found.scores.argmax()], FACE) > 0.6
    assert found.scores.max() > 0.5


def test_the_cascades_are_all_there() -> None:
    assert check_cascades() == ", ".join(map(str, CASCADES))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("cascade", "profile"),
        ("scale_factor", 1),
        ("scale_factor", 2.1),
        ("min_neighbors", -1),
        ("min_size", -1),
        ("upscale", 0.5),
        ("upscale", 9),
    ],
)
def test_options_that_opencv_would_choke_on_are_refused_before(option: str, value: Any) -> None:
    with pytest.raises(DetectorOptionError, match=f"option {option} of detector haar: expected "):
        haar(**{option: value})


@pytest.mark.parametrize("option", ["min_size", "min_neighbors"])
def test_numbers_too_large_for_opencv_are_refused_or_find_nothing(picture: BGRImage, option: str) -> None:
    try:
        detector = haar(**{option: 2**40})
    except DetectorOptionError:
        return

    assert len(detector.detect(picture)) == 0


# --- An OpenCV that cannot


def test_an_opencv_without_cascades_says_which_to_install(
    picture: BGRImage, monkeypatch: pytest.MonkeyPatch, toy_model: Path
) -> None:
    detector = haar()
    assert len(detector.detect(picture)) == 1
    pipeline = MaskPipeline(model=toy_model, device="cpu", threads=1)
    monkeypatch.delattr(cv2, "CascadeClassifier")

    for attempt in (lambda: detector.detect(picture), check_cascades, lambda: pipeline(picture)):
        with pytest.raises(PluginError, match=r'pip install "opencv-python>=4\.10,<5"') as refused:
            attempt()
        assert f"OpenCV {cv2.__version__} has no CascadeClassifier" in str(refused.value)
        assert refused.value.plugin == "haar"


def test_an_opencv_without_the_cascade_files_says_where_it_looked_and_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cv2.data.haarcascades", str(tmp_path))

    with pytest.raises(PluginError, match="pip install --force-reinstall") as refused:
        check_cascades()

    assert "haarcascade_frontalface_alt2.xml" in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_the_detector_can_be_made_where_opencv_has_no_cascades(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "CascadeClassifier")

    assert isinstance(haar(), HaarDetector)
