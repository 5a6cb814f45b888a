"""Fitting of a detector's judge."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from maskcheck import Detections, load_image
from maskcheck.detectors.fusion import overlap
from maskcheck.detectors.judge.appearance import FEATURES
from maskcheck.detectors.judge.judge import Judge
from maskcheck.evaluation.coco import AnnotatedPicture
from maskcheck_export.commands import main
from maskcheck_export.errors import DataError
from maskcheck_export.judge_fitting.cross_validation import cross_validate
from maskcheck_export.judge_fitting.fitting import fit
from maskcheck_export.judge_fitting.proposals import Proposals, collect

FACE = np.array([[40, 40, 60, 64]], np.float64)
DIFFERENT = slice(7, 57)  # the features that differ between faces and others here


def proposals(seed: int, *, faces: bool = True) -> Proposals:
    """Boxes a fifth of a face too high, and others far away; some features differ between the two."""
    random = np.random.default_rng(seed)
    near = FACE + random.normal(0, 0.5, (100, 4)) - [0, 4.8, 0, 4.8]
    far = random.uniform(80, 150, (300, 2))
    boxes = np.concatenate([near, np.concatenate([far, far + 20], axis=1)]).astype(np.float32)
    features = random.normal(0, 1, (400, FEATURES)).astype(np.float32)
    features[:100, DIFFERENT] += 2
    proposed = Detections(boxes, np.full(400, 0.5, np.float32))
    return Proposals(seed, (200, 200), proposed, features, FACE if faces else FACE[:0])


def pictures(count: int) -> list[AnnotatedPicture]:
    none = np.zeros(len(FACE), np.bool_)
    return [AnnotatedPicture(Path(f"{number}.png"), FACE, ("face",), (200, 200), none) for number in range(count)]


def test_a_fitted_judge_separates_faces_from_others_and_moves_boxes_to_them() -> None:
    judge = fit([proposals(seed) for seed in range(20)], about="drawn")
    unseen = proposals(99)

    judged = judge.judge(unseen.proposed, unseen.features)

    assert judged.scores[:100].min() > judged.scores[100:].max()
    assert overlap(unseen.proposed.boxes[:100], FACE.astype(np.float32)).mean() < 0.75
    assert overlap(judged.boxes[:100], FACE.astype(np.float32)).mean() > 0.85
    assert judge.about == "drawn"


def test_a_cross_validation_judges_every_picture_by_a_judge_that_did_not_see_it() -> None:
    of_pictures = [proposals(seed) for seed in range(8)]
    odd = proposals(8)
    odd.features[:, DIFFERENT] *= -1  # what is learned from the others is wrong for this one
    lines: list[str] = []

    spoilt = [*of_pictures[:7], replace(odd, picture=7)]
    scores = cross_validate(pictures(8), list("abcdefgh"), {"mine": of_pictures}, [], folds=4, report=lines.append)
    spoilt_scores = cross_validate(
        pictures(8),
        list("abcdefgh"),
        {"mine": spoilt},
        [],
        folds=4,
        report=lines.append,
    )

    assert scores["mine"]["all"].ap50 == pytest.approx(1)
    assert spoilt_scores["mine"]["all"].ap50 < 0.95
    assert len(lines) == 8


def test_pictures_of_one_group_are_never_divided_by_a_fold() -> None:
    with pytest.raises(DataError, match="2 pictures that differ are too few for 4 folds"):
        cross_validate(pictures(4), list("aabb"), {"mine": [proposals(0)] * 4}, [], folds=4, report=print)


class Fixed:
    """Proposes a face, a box inside an ignored region and one elsewhere, whatever the picture."""

    def propose(self, image: NDArray[np.uint8]) -> Detections:
        boxes = np.array([[10, 10, 30, 30], [62, 12, 78, 28], [10, 60, 30, 80]], np.float32)
        return Detections(boxes * image.shape[0] / 100, np.full(3, 0.5, np.float32))


def test_proposals_in_an_ignored_region_are_not_fitted_on(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((100, 100, 3), 128, np.uint8))
    boxes = np.array([[10, 10, 30, 30], [60, 10, 80, 30]], np.float64)
    picture = AnnotatedPicture(tmp_path / "a.png", boxes, ("face", ""), (100, 100), np.array([False, True]))

    for enlarge in (1.0, 2.0):
        (collected,) = collect([picture], Fixed(), enlarge=enlarge)

        assert collected.faces.tolist() == [[10 * enlarge, 10 * enlarge, 30 * enlarge, 30 * enlarge]]
        assert collected.proposed.boxes[:, 0].tolist() == [10 * enlarge, 10 * enlarge]
        assert len(collected.features) == 2


@pytest.mark.parametrize("faces", [True, False])
def test_pictures_without_faces_among_the_proposals_are_refused(faces: bool) -> None:
    far = proposals(0, faces=False)
    if faces:
        far = Proposals(0, far.size, far.proposed[100:], far.features[100:], FACE)

    with pytest.raises(DataError, match="no proposal is near an annotated face"):
        fit([far], about="")


def test_the_command_reports_each_preset_and_writes_a_judge(portrait: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    picture = load_image(portrait).pixels[::2, ::2]
    images, annotations = [], []
    for number, shift in enumerate(range(0, 80, 20)):
        turned = cv2.convertScaleAbs(picture[:, shift:], alpha=0.6 + 0.15 * number)
        cv2.imwrite(str(tmp_path / "images" / f"{number}.png"), turned)
        height, width = turned.shape[:2]
        images.append({"id": number, "file_name": f"{number}.png", "width": width, "height": height})
        annotations.append({"id": number, "image_id": number, "category_id": 1, "bbox": [82 - shift, 72, 94, 110]})
    (tmp_path / "images" / "torn.png").write_bytes(b"torn")
    images.append({"id": 9, "file_name": "torn.png", "width": 10, "height": 10})
    folder = tmp_path / "portraits"
    folder.mkdir()
    (folder / "one.jpg").write_bytes(portrait.read_bytes())
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "face"}]}
    (tmp_path / "annotations.json").write_text(json.dumps(content))

    done = CliRunner().invoke(
        main,
        [
            "fit-judge",
            "haar",
            str(tmp_path),
            "--portraits",
            str(folder),
            "--output",
            str(tmp_path / "judge.npz"),
            "--folds",
            "2",
            "--near-duplicates",
            "0",
        ],
    )

    assert done.exit_code == 0, done.output
    assert "skipped: " in done.output
    assert all(f"{preset}: AP50 " in done.output for preset in ("fast", "balanced", "thorough"))
    judge = Judge.from_bytes((tmp_path / "judge.npz").read_bytes())
    assert judge.about.startswith("4 pictures with 4 faces and 1 portraits")


@pytest.mark.parametrize(
    ("detector", "problem"), [("haar-plain", "has no presets to fit a judge for"), ("nobody", "no detector 'nobody'")]
)
def test_a_detector_without_a_judge_is_refused(detector: str, problem: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["fit-judge", detector, str(tmp_path), "--output", str(tmp_path / "judge.npz")])

    assert done.exit_code == 2, done.output
    assert problem in done.output
