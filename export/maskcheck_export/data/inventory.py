"""Counts labelled faces by label and size, and finds unreadable pictures and near-duplicates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskcheck.evaluation.face_sizes import EDGES
from maskcheck_export.data.duplicates import group_near_duplicates, hash_pictures, near_pairs
from maskcheck_export.data.listing import Listing
from maskcheck_export.data.samples import Sample

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class DataSetInventory:
    """The counts of a data set.

    Attributes:
        name: Name of its folder.
        pictures: Number of readable pictures.
        faces: Number of faces by label.
        face_sizes: Number of faces in each of ``maskcheck.evaluation.face_sizes.CLASSES``.
        face_quantiles: Shorter side of a face in pixels, at each of ``QUANTILES``.
        picture_quantiles: Longer side of a picture in pixels, at each of ``QUANTILES``.
        groups: Number of groups that a split keeps together.
        largest_group: Number of faces in the largest group.
    """

    name: str
    pictures: int
    faces: dict[str, int]
    face_sizes: tuple[int, ...]
    face_quantiles: tuple[float, ...]
    picture_quantiles: tuple[float, ...]
    groups: int
    largest_group: int


@dataclass(frozen=True)
class Inventory:
    """The counts of several data sets.

    Attributes:
        datasets: The counts of each data set.
        skipped: A line for each file, box or label that is left out, with the reason.
        near_duplicates: Number of pairs of near-duplicate pictures, by the data sets of the two.
        disagreeing: Pairs of near-duplicate pictures, with one face in each, that have different labels: a label may be
            wrong, or a mask was pasted on a copy.
    """

    datasets: tuple[DataSetInventory, ...]
    skipped: tuple[str, ...]
    near_duplicates: dict[str, int]
    disagreeing: tuple[tuple[str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """The counts, ready for JSON."""
        return asdict(self)


def take_inventory(listings: Sequence[Listing], *, distance: int) -> Inventory:
    """Decode every picture of some data sets, and count.

    Args:
        listings: The data sets.
        distance: Most bits in which the 256-bit hashes of near-duplicates differ.
    """
    listed = [sample for listing in listings for sample in listing.samples]
    hashes = hash_pictures([sample.path for sample in listed])
    samples = [sample for sample in listed if sample.path in hashes.of]
    skipped = [line for listing in listings for line in listing.skipped] + list(hashes.unreadable.values())
    if not samples:
        return Inventory((), tuple(skipped), {}, ())
    of_picture: dict[Path, list[Sample]] = {}
    for sample in samples:
        of_picture.setdefault(sample.path, []).append(sample)
    paths = list(of_picture)
    pairs = [
        (of_picture[paths[i]], of_picture[paths[j]])
        for i, j in near_pairs(np.stack([hashes.of[path] for path in paths]), distance)
    ]
    between = Counter(" and ".join(sorted((first[0].dataset, second[0].dataset))) for first, second in pairs)
    grouped = group_near_duplicates(samples, hashes, distance=distance)
    return Inventory(
        datasets=tuple(
            _describe(name, [sample for sample in grouped if sample.dataset == name], hashes.longer_sides)
            for name in sorted({sample.dataset for sample in samples})
        ),
        skipped=tuple(skipped),
        near_duplicates=dict(between.most_common()),
        disagreeing=tuple(
            (str(first[0].path), str(second[0].path))
            for first, second in pairs
            if len(first) == len(second) == 1 and first[0].label != second[0].label
        ),
    )


def _describe(name: str, samples: Sequence[Sample], longer_sides: Mapping[Path, int]) -> DataSetInventory:
    sides = np.array([sample.shorter_side for sample in samples])
    paths = list(dict.fromkeys(sample.path for sample in samples))
    groups = Counter(sample.group for sample in samples)
    return DataSetInventory(
        name=name,
        pictures=len(paths),
        faces=dict(sorted(Counter(sample.label for sample in samples).items())),
        face_sizes=tuple(np.bincount(np.digitize(sides, EDGES), minlength=len(EDGES) + 1).tolist()),
        face_quantiles=tuple(np.quantile(sides, QUANTILES).round(1).tolist()),
        picture_quantiles=tuple(np.quantile([longer_sides[path] for path in paths], QUANTILES).round(1).tolist()),
        groups=len(groups),
        largest_group=max(groups.values()),
    )
