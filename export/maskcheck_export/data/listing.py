"""Lists the labelled faces of a folder."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from maskcheck.evaluation.coco import ANNOTATIONS, AnnotatedPicture
from maskcheck.pictures.formats import SUFFIXES
from maskcheck_export.annotations.overlay import name_of, read_annotations
from maskcheck_export.data.samples import Sample
from maskcheck_export.errors import DataError

GROUPS = "groups.csv"


@dataclass(frozen=True)
class Listing:
    """The labelled faces of a folder.

    Attributes:
        samples: The faces that can be used.
        skipped: A line for each file, box or label that is left out, with the reason.
        pictures: The pictures with their boxes; none if the labels belong to whole pictures.
    """

    samples: tuple[Sample, ...]
    skipped: tuple[str, ...]
    pictures: tuple[AnnotatedPicture, ...] = ()


def list_samples(folder: Path, labels: Sequence[str], *, overlay: str | None = None) -> Listing:
    """List the labelled faces of a folder.

    The folder holds either ``annotations.json`` in COCO form with the pictures in ``images/``, or a
    folder of pictures for each label; beside these, an optional ``groups.csv`` (columns ``path,group``) names
    near-duplicates. Faces of a label that is not in `labels` are skipped, with a line; ignored regions are no faces.

    Args:
        folder: The folder.
        labels: The labels of the faces that are listed.
        overlay: Changes of the COCO annotations, as in :func:`read_overlay`.

    Raises:
        DataError: There is no such folder, it has neither form, or it holds no usable face of the labels; or there is
            no such overlay, or it is not for these pictures.
    """
    if not folder.is_dir():
        raise DataError(f"no such folder: {folder}")
    if (folder / ANNOTATIONS).is_file():
        listing = _list_coco(folder, labels, overlay)
    elif overlay is not None:
        raise DataError(f"the overlay {overlay} changes COCO annotations, and {folder} holds no {ANNOTATIONS}")
    elif any((folder / label).is_dir() for label in labels):
        listing = _list_class_folders(folder, labels)
    else:
        raise DataError(
            f"{folder} holds neither {ANNOTATIONS} (COCO) nor a folder for one of the labels {', '.join(labels)}"
        )
    if not listing.samples:
        raise DataError(f"{folder} holds no usable face of the labels {', '.join(labels)}")
    return listing


def _list_class_folders(folder: Path, labels: Sequence[str]) -> Listing:
    groups = _read_groups(folder / GROUPS)
    samples: list[Sample] = []
    skipped: list[str] = []
    for label in labels:
        if not (folder / label).is_dir():
            skipped.append(f"{folder / label}: no such folder, so there are no faces of {label}")
            continue
        for path in sorted((folder / label).iterdir()):
            if path.suffix.lower() not in SUFFIXES:
                continue
            try:
                width, height = _upright_size(path)
            except OSError as error:
                skipped.append(f"{path}: {error}")
                continue
            name = path.relative_to(folder).as_posix()
            group = f"{folder.name}/{groups.get(name, name)}"
            box = (0.0, 0.0, float(width), float(height))
            samples.append(Sample(path, box, label, folder.name, group, whole=True))
    return Listing(tuple(samples), tuple(skipped))


def _read_groups(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {row["path"]: row["group"] for row in csv.DictReader(file)}


def _upright_size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).size if image.getexif() else image.size


def _list_coco(folder: Path, labels: Sequence[str], overlay: str | None) -> Listing:
    data = read_annotations(folder, overlay)
    skipped = list(data.skipped)
    samples: list[Sample] = []
    ignored: Counter[str] = Counter()
    for picture in data.pictures:
        for box, label, region in zip(picture.boxes.tolist(), picture.labels, picture.ignored, strict=True):
            if region:
                continue
            if label in labels:
                group = f"{folder.name}/{name_of(picture, folder)}"
                samples.append(Sample(picture.path, tuple(box), label, folder.name, group, whole=False))
            else:
                ignored[label] += 1
    where = folder / ANNOTATIONS
    skipped += [f"{where}: {count} faces of label {label} are not trained on" for label, count in ignored.items()]
    return Listing(tuple(samples), tuple(skipped), data.pictures)
