"""What the second look is trained on, how it is fitted to detectors, and when verification fails it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_faces import draw_crowd

from maskcheck.classifier.second_look import Combination, Look, absolute_boxes, relative_boxes
from maskcheck_export.augmentation.crops import random_crop
from maskcheck_export.conversion.second_look import fit_combinations, measure_second_look
from maskcheck_export.conversion.verification import LIMITS, LookAgreement
from maskcheck_export.data.gathering import gather
from maskcheck_export.data.pack import cut_region, pack_faces
from maskcheck_export.data.proposals import gather_proposals
from maskcheck_export.data.samples import NO_FACE, Proposal, Sample
from maskcheck_export.data.split import split
from maskcheck_export.evaluation.prediction import look_all, looks_by
from maskcheck_export.recipes.settings import Augmentation, DataSource, Input, SecondLook, Settings, Split
from maskcheck_export.training.network import build_network
from maskcheck_export.training.places import fit_places

pytestmark = pytest.mark.filterwarnings("default")

LABELS = ("with_mask", "without_mask", "mask_worn_incorrectly")


def sample(box: tuple[float, float, float, float], **fields: object) -> Sample:
    about = {"label": "with_mask", "dataset": "street", "group": "g", "whole": False}
    return Sample(Path("a.png"), box, **(about | fields))  # type: ignore[arg-type]


def proposed(box: tuple[float, float, float, float], score: float, path: str = "a.png") -> Sample:
    return replace(sample(box, label=NO_FACE, is_face=0.0), path=Path(path), proposal=Proposal("some", score))


def settings_of(**second_look: object) -> Settings:
    return Settings(
        labels=LABELS,
        data=(DataSource(path="crowd", proposals=1.0),),
        second_look=SecondLook(**{"detectors": ("whole-picture",)} | second_look),  # type: ignore[arg-type]
        split=Split(near_duplicates=-1),
    )


def test_a_proposal_away_from_faces_is_no_face_and_one_on_a_face_has_its_label_and_place(tmp_path: Path) -> None:
    draw_crowd(tmp_path / "crowd", 4)  # the face takes 0.17 of the picture, which the detector proposes

    faces = gather(settings_of(), tmp_path, report=lambda _: None)
    away = gather_proposals(settings_of(), tmp_path, faces, report=lambda _: None)
    on = gather_proposals(settings_of(face=0.15, no_face=0.1), tmp_path, faces, report=lambda _: None)
    between = gather_proposals(settings_of(face=0.5, no_face=0.1), tmp_path, faces, report=lambda _: None)

    assert [(one.label, one.is_face, one.face) for one in away] == [(NO_FACE, 0.0, None)] * 4
    assert [(one.label, one.is_face, one.face) for one in on] == [(face.label, 1.0, face.box) for face in faces]
    assert [(one.label, one.is_face, one.face) for one in between] == [(face.label, None, face.box) for face in faces]
    assert all(one.proposal == Proposal("whole-picture", 1.0) and one.box == (0, 0, 160, 100) for one in away)


def test_proposals_stay_on_the_side_of_their_picture(tmp_path: Path) -> None:
    draw_crowd(tmp_path / "crowd", 40)
    faces = gather(settings_of(), tmp_path, report=lambda _: None)
    proposals = gather_proposals(settings_of(), tmp_path, faces, report=lambda _: None)

    parts = split([*proposals, *faces], Split(test=0.25, validation=0.25), seed=1)

    assert {one.path for one in parts.test_proposals} == {face.path for face in parts.test}
    assert {one.path for one in parts.validation_proposals} == {face.path for face in parts.validation}
    kept = {face.path for face in (*parts.test, *parts.validation)}
    assert not {one.path for one in parts.training} & kept
    assert sum(one.proposal is not None for one in parts.training) == 40 - len(kept)


@pytest.mark.parametrize("seed", range(6))
def test_the_place_of_the_face_follows_the_changes_of_the_crop(seed: int) -> None:
    picture = np.zeros((200, 200, 3), np.uint8)
    face = (80.0, 70.0, 120.0, 130.0)
    picture[70:130, 80:120] = 255
    region = cut_region(picture, sample((70, 60, 130, 140), face=face))
    augmentation = Augmentation(flip=0.5, rotation=10, shift=0.1, zoom=0.2)

    crop = random_crop(
        region,
        "with_mask",
        whole=False,
        shape=Input(size=128, margin=0.2),
        augmentation=augmentation,
        rng=np.random.default_rng(seed),
    )

    assert crop.box is not None
    side = 128 / 1.4  # of the box in the crop, without its margin
    middle = np.array([[64 - side / 2, 64 - side / 2, 64 + side / 2, 64 + side / 2]])
    x1, y1, x2, y2 = absolute_boxes(crop.box[None], middle)[0]
    rows, columns = np.nonzero(crop.pixels[..., 0] > 127)
    assert (x1 + x2) / 2 == pytest.approx(columns.mean(), abs=2)
    assert (y1 + y2) / 2 == pytest.approx(rows.mean(), abs=2)
    assert (x2 - x1) * (y2 - y1) == pytest.approx(len(rows), rel=0.1)


def seen(boxes: list[tuple[float, float, float, float]], faces: list[float], to: tuple[float, ...]) -> Look:
    """A look that moves all boxes to one place."""
    places = relative_boxes(np.array([to] * len(boxes)), np.array(boxes, np.float64))
    return Look(np.full((len(boxes), 3), 1 / 3, np.float32), np.array(faces, np.float32), places)


def test_the_fit_trusts_a_detector_whose_score_says_more_than_the_network() -> None:
    rng = np.random.default_rng(0)
    face, elsewhere = (10.0, 10.0, 30.0, 30.0), (100.0, 100.0, 120.0, 120.0)
    right = rng.random(400) < 0.5
    scores = np.where(right, rng.uniform(0.5, 0.95, 400), rng.uniform(0.05, 0.5, 400))
    proposals = [proposed(face if good else elsewhere, score) for good, score in zip(right, scores, strict=True)]
    still = np.log([1.0, 1.0])
    look = Look(
        np.full((400, 3), 1 / 3, np.float32),
        np.full(400, 0.5, np.float32),
        np.tile([0, 0, *still], (400, 1)).astype(np.float32),
    )

    fitted = fit_combinations(look, proposals, [sample(face)], least=0.1, report=lambda _: None)["some"]

    combined = fitted.scores(scores.astype(np.float32), np.full(400, 0.5, np.float32))
    assert 0.1 < fitted.least <= 0.5  # no proposal below 0.5 is a face, so the weaker ones need no look
    assert fitted.weight > 1
    assert ((combined > 0.5) == right).mean() > 0.97


def test_a_detector_whose_proposals_are_all_wrong_is_left_out_and_named() -> None:
    boxes = [(100.0, 100.0, 120.0, 120.0)] * 3
    lines: list[str] = []

    fitted = fit_combinations(
        seen(boxes, [0.1, 0.2, 0.3], boxes[0]),
        [proposed(box, 0.5) for box in boxes],
        [sample((10, 10, 30, 30))],
        least=0.1,
        report=lines.append,
    )

    assert fitted == {}
    assert "some" in lines[0]


def test_the_gain_of_the_second_look_is_measured_for_each_detector() -> None:
    face = (10.0, 10.0, 30.0, 30.0)
    beside, wrong = (18.0, 10.0, 38.0, 30.0), (100.0, 100.0, 120.0, 120.0)  # the first overlaps by 0.43
    proposals = [proposed(beside, 0.4), proposed(wrong, 0.9)]
    places = relative_boxes(np.array([face, wrong]), np.array([beside, wrong]))
    look = Look(np.full((2, 3), 1 / 3, np.float32), np.array([0.9, 0.1], np.float32), places)
    combinations = {"some": Combination(least=0.1, weight=0.0, offset=0.0)}

    portrait = replace(sample((0, 0, 50, 50), dataset="portraits"), path=Path("b.png"))  # in which no detector ran

    figures = measure_second_look(look, proposals, [sample(face), portrait], combinations)

    assert figures["some"]["all"] == {"alone": 0.0, "second_look": 1.0}


def test_verification_fails_a_second_look_that_drifts() -> None:
    boxes = [(10.0, 10.0, 30.0, 30.0)] * 10
    reference = seen(boxes, [0.9] * 10, boxes[0])
    faces_gone = seen(boxes, [0.9] * 9 + [0.1], boxes[0])
    moved = seen(boxes, [0.9] * 10, (12.0, 10.0, 32.0, 30.0))

    assert LookAgreement.measure(reference, reference).failures(LIMITS["float32"]) == []
    (line,) = LookAgreement.measure(moved, reference).failures(LIMITS["int8"])
    assert "overlap of boxes" in line
    lines = LookAgreement.measure(faces_gone, reference).failures(LIMITS["int8"])
    assert lines[0].startswith("face changed 10.00%")


def test_the_fit_of_places_teaches_a_new_head_where_faces_are(tmp_path: Path) -> None:
    draw_crowd(tmp_path / "crowd", 40)
    settings = Settings(
        labels=LABELS,
        data=(DataSource(path="crowd", proposals=1.0),),
        second_look=SecondLook(detectors=("whole-picture",)),
        input=Input(size=75),
        augmentation=Augmentation(shift=0.2, zoom=0.3),
    )
    faces = gather(settings, tmp_path, report=lambda _: None)
    rng = np.random.default_rng(0)
    moved = [replace(face, box=tuple(np.array(face.box) + np.tile(rng.integers(-12, 13, 2), 2))) for face in faces]
    pack = pack_faces(faces, tmp_path / "pack", bare_label="without_mask", report=lambda _: None)
    network = build_network(size=75, classes=3, weights="none", dropout=0.0, second_look=True)
    lines: list[str] = []
    true = relative_boxes(np.array([one.face for one in moved]), np.array([one.box for one in moved]))

    def error() -> float:
        look = look_all(looks_by(network), moved, size=75, margin=settings.input.margin)
        assert look.box is not None
        return float(np.abs(look.box - true).mean())

    before = error()
    fit_places(network, pack, faces, moved, settings, report=lines.append)

    mean_place = float(np.abs(true - true.mean(axis=0)).mean())
    assert error() < min(before, 1.5 * mean_place)  # an untrained body tells faces apart little
    assert "40 crops" in lines[0]
