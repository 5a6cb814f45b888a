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
from maskcheck.detectors.haar.cascades import FILES, check_cascades, find_windows
from maskcheck.detectors.haar.detector import HaarDetector
from maskcheck.detectors.haar.plain import CURVES
from maskcheck.detectors.haar.presets import PRESETS
from maskcheck.hosting.creation import create_detector
from maskcheck.hosting.registry import InstalledPlugins
from maskcheck.pictures.decoding import BGRImage

SPECS = {name: InstalledPlugins(list).detectors.find(name).spec for name in ("haar", "haar-plain")}
BOTH = pytest.mark.parametrize("name", SPECS)
SURE = {"HaarDetector": HaarDetector.default_min_score, "PlainHaarDetector": 0.5}


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


def make(name: str, **options: Any) -> Detector:
    """A detector as users make it, its options checked."""
    return create_detector(SPECS[name], options)


def haar(**options: Any) -> Detector:
    return make("haar", **options)


def plain(**options: Any) -> Detector:
    return make("haar-plain", **options)


def find_sure(detector: Detector, picture: BGRImage) -> Detections:
    """What the detector is sure of."""
    detections = detector.detect(picture)
    return detections[detections.scores >= SURE[type(detector).__name__]]


def same(first: Detections, second: Detections) -> bool:
    return np.array_equal(first.boxes, second.boxes) and np.array_equal(first.scores, second.scores)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_finds_the_face_of_a_portrait_where_it_is(picture: BGRImage, preset: str) -> None:
    detections = haar(preset=preset).detect(picture)

    assert overlap(detections.boxes[detections.scores.argmax()], FACE) > 0.6


def test_only_the_face_of_a_portrait_is_taken_for_one(picture: BGRImage) -> None:
    assert len(find_sure(haar(), picture)) == 1


def test_the_plain_call_finds_the_face_of_a_portrait(picture: BGRImage) -> None:
    (box,) = plain().detect(picture).boxes

    assert overlap(box, FACE) > 0.6


@BOTH
def test_the_portrait_is_not_changed(name: str, picture: BGRImage) -> None:
    before = picture.copy()

    make(name).detect(picture)

    assert np.array_equal(picture, before)


@BOTH
def test_a_read_only_picture_will_do(name: str, picture: BGRImage) -> None:
    picture.flags.writeable = False

    assert len(find_sure(make(name), picture)) == 1


@BOTH
def test_detections_are_float32_with_scores_from_0_to_1(name: str, picture: BGRImage) -> None:
    detections = make(name, **({"min_neighbors": 0} if name == "haar-plain" else {})).detect(picture)

    assert len(detections) > 1
    assert detections.boxes.dtype == np.float32
    assert detections.scores.dtype == np.float32
    assert detections.scores.min() >= 0
    assert detections.scores.max() <= 1
    assert len(set(detections.scores.tolist())) > 1


@BOTH
def test_the_face_scores_higher_than_what_is_none(name: str, picture: BGRImage) -> None:
    noise = np.random.default_rng(6).integers(0, 256, (600, 600, 3), np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 6)
    contrast = np.asarray(cv2.normalize(smooth, np.empty_like(smooth), 0, 255, cv2.NORM_MINMAX), np.uint8)

    false_alarms = make(name, **({"min_neighbors": 0} if name == "haar-plain" else {})).detect(contrast).scores
    face = make(name).detect(picture).scores

    assert len(false_alarms) > 0
    assert np.median(false_alarms) < face.max()


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 5000), (5000, 1), (2, 3), (19, 19), (20, 20), (21, 4000), (240, 320)]
)
@pytest.mark.parametrize("brightness", [0, 255])
@BOTH
def test_a_blank_picture_of_any_size_has_no_face(name: str, height: int, width: int, brightness: int) -> None:
    blank = np.full((height, width, 3), brightness, np.uint8)

    detections = make(name).detect(blank)

    assert len(detections) == 0
    assert detections.boxes.shape == (0, 4)


@BOTH
def test_eight_threads_sharing_a_detector_find_what_one_finds(name: str, picture: BGRImage) -> None:
    detector = make(name)
    half = picture[::2, ::2].copy()
    pictures = [half, half[:, ::-1].copy(), half[30:200, 50:210].copy(), half // 2]
    alone = [detector.detect(one) for one in pictures]
    start = threading.Barrier(8)

    def task(shift: int) -> list[Detections]:
        start.wait(timeout=60)
        return [detector.detect(pictures[(shift + turn) % 4]) for turn in range(4)]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(task, range(8)))

    assert sum(map(len, alone)) > 0
    for shift, results in enumerate(together):
        assert all(same(detections, alone[(shift + turn) % 4]) for turn, detections in enumerate(results))


@pytest.mark.parametrize(
    ("name", "options"), [("haar", {"preset": "fast"}), ("haar-plain", {"cascade": "frontal_alt", "min_neighbors": 5})]
)
def test_a_detector_that_was_used_can_be_pickled(name: str, options: dict[str, Any], picture: BGRImage) -> None:
    detector = make(name, **options)
    detections = detector.detect(picture)

    copy = pickle.loads(pickle.dumps(detector))

    assert copy == detector
    assert same(copy.detect(picture), detections)


@pytest.mark.parametrize(
    ("name", "options"), [("haar", {}), ("haar", {"enlarge": 2}), ("haar-plain", {}), ("haar-plain", {"upscale": 2})]
)
def test_min_size_is_in_pixels_of_the_picture_and_excludes_smaller_faces(
    name: str, options: dict[str, Any], picture: BGRImage
) -> None:
    # The face is about 200 pixels wide.
    assert len(find_sure(make(name, min_size=120, **options), picture)) == 1
    assert len(find_sure(make(name, min_size=300, **options), picture)) == 0


@pytest.mark.parametrize(("name", "option"), [("haar", "enlarge"), ("haar-plain", "upscale")])
@pytest.mark.parametrize("factor", [1.5, 2])
def test_boxes_of_an_enlarged_picture_are_in_pixels_of_the_picture(
    name: str, option: str, factor: float, picture: BGRImage
) -> None:
    (as_it_is,) = find_sure(make(name, **{option: 1}), picture).boxes
    (enlarged,) = find_sure(make(name, **{option: factor}), picture).boxes

    assert overlap(as_it_is, enlarged) > 0.8
    assert overlap(enlarged, FACE) > 0.6


@pytest.mark.parametrize(("name", "option"), [("haar", "enlarge"), ("haar-plain", "upscale")])
def test_enlarging_finds_a_face_that_is_too_small_otherwise(name: str, option: str, picture: BGRImage) -> None:
    small = np.asarray(cv2.resize(picture, None, fx=0.06, fy=0.06, interpolation=cv2.INTER_AREA), np.uint8)

    assert len(find_sure(make(name, **{option: 1}), small)) == 0
    detections = make(name, **{option: 4}).detect(small)
    assert overlap(detections.boxes[detections.scores.argmax()], np.multiply(FACE, 0.06)) > 0.5


def test_a_face_in_shadow_is_found_with_contrast_equalised(picture: BGRImage) -> None:
    shadow = (picture // 12 + 4).astype(np.uint8)

    detections = haar(equalize=True).detect(shadow)

    assert overlap(detections.boxes[detections.scores.argmax()], FACE) > 0.5


def test_fewer_neighbours_find_more(picture: BGRImage) -> None:
    assert len(plain(min_neighbors=0).detect(picture)) > len(plain(min_neighbors=3).detect(picture))


@pytest.mark.parametrize("cascade", CURVES)
def test_every_cascade_finds_the_face(picture: BGRImage, cascade: str) -> None:
    detections = plain(cascade=cascade).detect(picture)

    assert overlap(detections.boxes[detections.scores.argmax()], FACE) > 0.6
    assert detections.scores.max() > 0.5


def test_the_cascades_are_all_there() -> None:
    assert check_cascades() == ", ".join(FILES)


def test_windows_that_pass_a_whole_cascade_pass_its_first_stages_too(picture: BGRImage) -> None:
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    first, whole = (
        {tuple(box) for box in find_windows(grey, "frontal_default", stages=n, scale_factor=1.2, min_size=60)}
        for n in (12, 25)
    )

    assert 0 < len(whole) < len(first)
    assert whole < first


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("haar-plain", "cascade", "profile"),
        ("haar-plain", "min_neighbors", -1),
        ("haar-plain", "upscale", 0.5),
        ("haar-plain", "upscale", 9),
        ("haar", "preset", "best"),
        ("haar", "enlarge", 0),
        ("haar", "equalize", "perhaps"),
        *((name, option, value) for name in SPECS for option, value in (("scale_factor", 1), ("scale_factor", 2.1))),
        *((name, "min_size", -1) for name in SPECS),
    ],
)
def test_options_that_opencv_would_choke_on_are_refused_before(name: str, option: str, value: Any) -> None:
    with pytest.raises(DetectorOptionError, match=f"option {option} of detector {name}: expected "):
        make(name, **{option: value})


@pytest.mark.parametrize(("name", "option"), [("haar", "min_size"), ("haar-plain", "min_neighbors")])
def test_numbers_too_large_for_opencv_are_refused_or_find_nothing(name: str, option: str, picture: BGRImage) -> None:
    try:
        detector = make(name, **{option: 2**40})
    except DetectorOptionError:
        return

    assert len(detector.detect(picture)) == 0


# --- An OpenCV that cannot


@BOTH
def test_an_opencv_without_cascades_says_which_to_install(
    name: str, picture: BGRImage, monkeypatch: pytest.MonkeyPatch, toy_model: Path
) -> None:
    detector = make(name)
    monkeypatch.setattr("maskcheck.detectors.haar.cascades._idle", {})
    pipeline = MaskPipeline(name, model=toy_model, device="cpu", threads=1)
    monkeypatch.delattr(cv2, "CascadeClassifier")

    for attempt in (lambda: detector.detect(picture), check_cascades, lambda: pipeline(picture)):
        with pytest.raises(PluginError, match=r'pip install "opencv-python>=4\.10,<5"') as refused:
            attempt()
        assert f"OpenCV {cv2.__version__} has no CascadeClassifier" in str(refused.value)
        assert refused.value.plugin == "haar"


@pytest.mark.parametrize("content", [None, "", "<opencv_storage></opencv_storage>", "not XML"])
def test_an_opencv_without_the_cascade_files_says_where_it_looked_and_what_to_install(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cv2.data.haarcascades", str(tmp_path))
    if content is not None:
        for file in FILES.values():
            (tmp_path / file).write_text(content)

    with pytest.raises(PluginError, match="pip install --force-reinstall") as refused:
        check_cascades()

    assert "haarcascade_frontalface_alt2.xml" in str(refused.value)
    assert str(tmp_path) in str(refused.value)


def test_the_detector_can_be_made_where_opencv_has_no_cascades(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "CascadeClassifier")

    assert isinstance(haar(), HaarDetector)
