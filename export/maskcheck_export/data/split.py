"""Splits labelled faces into training, validation and test faces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from maskcheck_export.data.samples import Sample
from maskcheck_export.errors import DataError
from maskcheck_export.recipes.settings import Split


@dataclass(frozen=True)
class Parts:
    """A split.

    Attributes:
        training: Faces that the model is trained on, and proposals of detectors in their pictures.
        validation: Faces that may stop a training and that the temperature is fitted on.
        test: Faces that measure the finished model.
        validation_proposals: Proposals of detectors in the pictures of `validation`.
        test_proposals: Proposals of detectors in the pictures of `test`.
    """

    training: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    test: tuple[Sample, ...]
    validation_proposals: tuple[Sample, ...] = ()
    test_proposals: tuple[Sample, ...] = ()


def split(samples: Sequence[Sample], shares: Split, seed: int) -> Parts:
    """Split samples, the faces of each label in proportion; proposals go where the faces of their picture are.

    Args:
        samples: All samples, in any order.
        shares: How to split. ``groups`` also keeps the labels of each data set in proportion, and rounds shares to one
            part in a whole number: 0.2 is one in five, and `shares.fold` says which. ``faces`` uses scikit-learn's
            ``train_test_split``.
        seed: Equal seeds give equal splits.

    Raises:
        DataError: There are too few groups, or too few faces of a label, for these shares.
    """
    ordered = sorted(samples, key=lambda sample: (sample.dataset, sample.path.as_posix(), sample.box))
    proposals = [sample for sample in ordered if sample.proposal is not None]
    ordered = [sample for sample in ordered if sample.proposal is None]
    if shares.by == "groups":
        others, test_faces = _by_groups(ordered, shares.test, seed, shares.fold)
        training_faces, validation_faces = _by_groups(others, shares.validation, seed)
    else:
        others, test_faces = _by_faces(ordered, shares.test, seed)
        training_faces, validation_faces = _by_faces(others, shares.validation, seed)
    test_paths, validation_paths = ({face.path for face in faces} for faces in (test_faces, validation_faces))
    of_test = [sample for sample in proposals if sample.path in test_paths]
    proposals = [sample for sample in proposals if sample.path not in test_paths]
    of_validation = [sample for sample in proposals if sample.path in validation_paths]
    of_training = [sample for sample in proposals if sample.path not in validation_paths]
    return Parts(
        training=(*training_faces, *of_training),
        validation=tuple(validation_faces),
        test=tuple(test_faces),
        validation_proposals=tuple(of_validation),
        test_proposals=tuple(of_test),
    )


def _by_groups(samples: list[Sample], share: float, seed: int, fold: int = 0) -> tuple[list[Sample], list[Sample]]:
    from sklearn.model_selection import StratifiedGroupKFold

    if not share:
        return samples, []
    folds = round(1 / share)
    groups = [sample.group for sample in samples]
    if len(set(groups)) < 2 * folds:
        raise DataError(f"{len(set(groups))} groups of pictures are too few to keep one in {folds} out; add pictures")
    strata = [f"{sample.dataset}/{sample.label}" for sample in samples]
    counts = Counter(strata)
    frequent = counts.most_common(1)[0][0]
    # A stratum too rare to be in every fold is divided together with the most frequent stratum.
    strata = [stratum if counts[stratum] >= folds else frequent for stratum in strata]
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    divisions = splitter.split(np.zeros(len(samples)), strata, groups)
    kept, taken = next(islice(divisions, fold, None))
    return [samples[i] for i in kept], [samples[i] for i in taken]


def _by_faces(samples: list[Sample], share: float, seed: int) -> tuple[list[Sample], list[Sample]]:
    from sklearn.model_selection import train_test_split

    if not share:
        return samples, []
    labels = [sample.label for sample in samples]
    try:
        kept, taken = train_test_split(samples, test_size=share, random_state=seed, stratify=labels)
    except ValueError as error:
        raise DataError(f"{len(samples)} faces cannot be split by label, {share:g} of them apart: {error}") from error
    return kept, taken
