"""Results as ``supervision.Detections``."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from maskcheck import Face, FrameResult, MaskCheckError, PackageNotInstalled

LABELS = ("with_mask", "without_mask", "mask_worn_incorrectly")
RESULT = FrameResult(
    (
        Face(
            (10, 20, 50, 60),
            "mask_worn_incorrectly",
            0.7,
            dict(zip(LABELS, (0.1, 0.2, 0.7), strict=True)),
            0.9,
            face=0.5,
        ),
        Face((60, 2, 90, 40), "with_mask", 0.8, dict(zip(LABELS, (0.8, 0.1, 0.1), strict=True)), None),
    ),
    (100, 80),
)


@pytest.fixture(autouse=True)
def _supervision() -> None:
    pytest.importorskip("supervision", exc_type=ImportError)


def test_boxes_labels_and_scores_are_where_supervision_looks_for_them() -> None:
    detections = RESULT.to_supervision()

    np.testing.assert_array_equal(
        detections.xyxy, np.array([[10, 20, 50, 60], [60, 2, 90, 40]], np.float32), strict=True
    )
    np.testing.assert_array_equal(detections.confidence, np.array([0.7, 0.8], np.float32), strict=True)
    np.testing.assert_array_equal(detections.class_id, [2, 0])
    np.testing.assert_array_equal(detections.data["class_name"], ["mask_worn_incorrectly", "with_mask"])
    np.testing.assert_allclose(np.asarray(detections.data["detection_score"], float), [0.9, np.nan], rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(detections.data["face"], float), [0.5, np.nan])
    np.testing.assert_allclose(
        np.asarray(detections.data["probabilities"], float), [[0.1, 0.2, 0.7], [0.8, 0.1, 0.1]], rtol=1e-6
    )


def test_tracks_are_where_supervision_looks_for_them_if_every_face_has_one() -> None:
    tracked = replace(RESULT, faces=tuple(replace(face, track_id=track) for track, face in enumerate(RESULT, 5)))
    partly = replace(RESULT, faces=(tracked.faces[0], RESULT.faces[1]))

    np.testing.assert_array_equal(np.asarray(tracked.to_supervision().tracker_id), [5, 6])
    assert partly.to_supervision().tracker_id is None
    assert RESULT.to_supervision().tracker_id is None


def test_boxes_between_pixels_stay_precise() -> None:
    face = replace(RESULT.faces[0], box=(10.25, 20.5, 50.75, 60.0))

    np.testing.assert_array_equal(replace(RESULT, faces=(face,)).to_supervision().xyxy, [[10.25, 20.5, 50.75, 60.0]])


def test_detections_can_be_filtered() -> None:
    from supervision import Detections

    detections = RESULT.to_supervision()

    kept = detections[np.asarray(detections.data["class_name"]) != "with_mask"]

    assert isinstance(kept, Detections)
    assert kept.data["class_name"] == ["mask_worn_incorrectly"]
    assert not detections.is_empty()


def test_a_result_without_faces_is_empty_and_merges_with_others() -> None:
    from supervision import Detections

    empty = FrameResult((), (100, 80)).to_supervision()

    assert empty.is_empty()
    assert empty.xyxy.shape == (0, 4)
    assert len(Detections.merge([empty, RESULT.to_supervision(), RESULT.to_supervision()])) == 4


@pytest.mark.parametrize("result", [RESULT, FrameResult((), (100, 80))], ids=["faces", "none"])
def test_annotators_take_them(result: FrameResult) -> None:
    from supervision import BoxAnnotator, LabelAnnotator

    picture = np.full((80, 100, 3), 128, np.uint8)
    detections = result.to_supervision()

    drawn = LabelAnnotator().annotate(BoxAnnotator().annotate(picture.copy(), detections), detections)

    assert drawn.shape == picture.shape
    assert (drawn != picture).any() == bool(result.faces)


def test_without_supervision_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)

    with pytest.raises(PackageNotInstalled, match="pip install supervision") as raised:
        RESULT.to_supervision()

    assert raised.value.package == "supervision"
    assert isinstance(raised.value, ImportError)
    assert isinstance(raised.value, MaskCheckError)
    assert pickle.loads(pickle.dumps(raised.value)).package == "supervision"


def test_using_the_sdk_does_not_import_it() -> None:
    code = "import sys, maskcheck.pipeline, maskcheck.results; print('supervision' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)

    assert done.stdout.strip() == "False"
