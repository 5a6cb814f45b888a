"""Measures the judge of a detector by cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

from maskcheck.detectors.api import Detections
from maskcheck.detectors.fusion import one_box_per_face
from maskcheck.evaluation.coco import AnnotatedPicture
from maskcheck.evaluation.matching import Ranking
from maskcheck.evaluation.scoring import Score, score_rankings
from maskcheck_export.data.duplicates import Hashes, group_near_duplicates
from maskcheck_export.data.samples import Sample
from maskcheck_export.errors import DataError
from maskcheck_export.judge_fitting.fitting import fit
from maskcheck_export.judge_fitting.proposals import Proposals


def group(pictures: Sequence[AnnotatedPicture], hashes: Hashes, *, distance: int) -> list[str]:
    """The name of a group for each picture: near-duplicates are in one group.

    Args:
        pictures: Pictures that can be read.
        hashes: Their hashes.
        distance: Most bits in which the 256-bit hashes of near-duplicates differ.
    """
    samples = [Sample(picture.path, (0, 0, *picture.size), "", "", str(picture.path), True) for picture in pictures]
    return [sample.group for sample in group_near_duplicates(samples, hashes, distance=distance)]


def cross_validate(
    pictures: Sequence[AnnotatedPicture],
    groups: Sequence[str],
    proposals: Mapping[str, Sequence[Proposals]],
    others: Sequence[Proposals],
    *,
    folds: int,
    report: Callable[[str], None],
) -> dict[str, dict[str, Score]]:
    """The scores of each preset; the judge of a picture is fitted without the picture and its near-duplicates.

    Args:
        pictures: The annotated pictures.
        groups: The group of each picture.
        proposals: By preset, for each picture: what is fitted on and scored.
        others: Proposals that are fitted on but not scored.
        folds: Number of parts that the pictures are divided into.
        report: Called with a line of progress.

    Returns:
        For each preset, a score for each range of face sizes.

    Raises:
        DataError: There are fewer groups than folds, or nothing to fit on.
    """
    detections: dict[str, dict[int, Detections]] = {preset: {} for preset in proposals}
    for number, (training, test) in enumerate(_folds(groups, folds), 1):
        report(f"fold {number} of {folds}: fitting on {len(training)} pictures")
        fitted = {None, *training}
        judge = fit([known for known in chain(*proposals.values(), others) if known.picture in fitted], about="")
        for preset, of_pictures in proposals.items():
            for index in test:
                unseen = of_pictures[index]
                judged = judge.judge(unseen.proposed, unseen.features)
                detections[preset][index] = one_box_per_face(judged, *unseen.size)
    return {preset: _score(pictures, of_preset) for preset, of_preset in detections.items()}


def _score(pictures: Sequence[AnnotatedPicture], detections: Mapping[int, Detections]) -> dict[str, Score]:
    return score_rankings(
        [
            Ranking(
                picture.boxes,
                picture.ignored,
                detections[index].boxes,
                detections[index].scores,
            )
            for index, picture in enumerate(pictures)
        ]
    )


def _folds(groups: Sequence[str], count: int) -> Iterator[tuple[list[int], list[int]]]:
    from sklearn.model_selection import GroupKFold

    if len(set(groups)) < count:
        raise DataError(
            f"{len(set(groups))} pictures that differ are too few for {count} folds; add pictures or lower --folds"
        )
    for training, test in GroupKFold(count, shuffle=True, random_state=42).split(groups, groups=groups):
        yield training.tolist(), test.tolist()
