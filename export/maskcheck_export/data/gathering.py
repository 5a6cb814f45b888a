"""Gathers the labelled faces of the data sets of a recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from maskcheck_export.data.duplicates import group_near_duplicates, hash_pictures
from maskcheck_export.data.listing import list_samples
from maskcheck_export.data.samples import Sample, describe
from maskcheck_export.errors import DataError
from maskcheck_export.recipes.settings import Settings


def gather(settings: Settings, root: Path, *, report: Callable[[str], None]) -> list[Sample]:
    """List the faces of a recipe's data sets, leave out unreadable pictures, and group near-duplicates.

    Args:
        settings: The recipe.
        root: Folder that the paths of the recipe are relative to.
        report: Called with a line for each file or box that is left out, and with the counts.

    Raises:
        DataError: A folder is missing or holds no usable face, two data sets have one name, or the recipe names none.
    """
    folders = [root / source.path for source in settings.data]
    names = [folder.name for folder in folders]
    if not folders or len(set(names)) < len(names):
        raise DataError(f"expected data sets with different folder names, got {', '.join(names) or 'none'}")
    listings = [
        list_samples(folder, settings.labels, overlay=source.overlay)
        for folder, source in zip(folders, settings.data, strict=True)
    ]
    samples = [
        replace(sample, face=None if sample.whole or not source.places else sample.box)
        for listing, source in zip(listings, settings.data, strict=True)
        for sample in listing.samples
    ]
    hashes = hash_pictures([sample.path for sample in samples])
    for line in [line for listing in listings for line in listing.skipped] + list(hashes.unreadable.values()):
        report(f"skipped: {line}")
    samples = [sample for sample in samples if sample.path not in hashes.unreadable]
    if not samples:
        raise DataError(f"none of the pictures in {', '.join(map(str, folders))} can be read")
    if settings.split.by == "groups" and settings.split.near_duplicates >= 0:
        samples = group_near_duplicates(samples, hashes, distance=settings.split.near_duplicates)
    groups = len({sample.group for sample in samples})
    report(f"{len(samples)} faces in {groups} groups; {describe(samples)}")
    return samples
