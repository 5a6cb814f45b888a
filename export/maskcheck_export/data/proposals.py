"""Collects what detectors propose in annotated pictures: what the second look of a classifier is trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskcheck.detectors.api import Detector
from maskcheck.detectors.fusion import overlap, shared_areas
from maskcheck.detectors.guard import run_detector
from maskcheck.evaluation.coco import AnnotatedPicture
from maskcheck.hosting.creation import create_detector
from maskcheck.hosting.registry import default_registry
from maskcheck.pictures.decoding import load_image
from maskcheck_export.data.listing import list_samples
from maskcheck_export.data.samples import NO_FACE, Proposal, Sample, describe
from maskcheck_export.recipes.settings import SecondLook, Settings

UNDECIDED = 0.5
"""Share of a proposal inside an undecided region from which it is left out."""


def gather_proposals(
    settings: Settings, root: Path, faces: Sequence[Sample], *, report: Callable[[str], None]
) -> list[Sample]:
    """Run the detectors of a recipe in the pictures of the data sets whose proposals it wants.

    Pictures without a face in `faces` are left out: they may be unreadable, or belong to no part of the split.

    Args:
        settings: The recipe.
        root: Folder that the paths of the recipe are relative to.
        faces: The annotated faces, in their groups.
        report: Called with a line of progress, and with the counts.

    Returns:
        The proposals, in the groups of their pictures.

    Raises:
        DetectorNotFound, PluginError: A detector is not installed, or fails.
    """
    if not settings.has_second_look:
        return []
    look = settings.second_look
    detectors = {name: create_detector(default_registry().find(name).spec) for name in look.detectors}
    of_picture: dict[Path, list[Sample]] = {}
    for face in faces:
        of_picture.setdefault(face.path, []).append(face)
    proposals: list[Sample] = []
    for source in settings.data:
        if source.proposals:
            listing = list_samples(root / source.path, settings.labels, overlay=source.overlay)
            pictures = [picture for picture in listing.pictures if picture.path in of_picture]
            report(f"{source.path}: collecting proposals of {', '.join(detectors)} in {len(pictures)} pictures")
            for picture in pictures:
                proposals += _propose(picture, of_picture[picture.path], detectors, look)
    report(f"{len(proposals)} proposals; {describe(proposals)}")
    return proposals


def _propose(
    picture: AnnotatedPicture,
    faces: Sequence[Sample],
    detectors: Mapping[str, Detector],
    look: SecondLook,
) -> Iterator[Sample]:
    pixels = load_image(picture.path).pixels
    known = np.array([face.box for face in faces], np.float32)
    undecided = picture.boxes[picture.ignored]
    for name, detector in detectors.items():
        found = run_detector(detector, pixels, name=name)
        found = found[(found.scores >= look.least) & ~in_regions(undecided, found.boxes)]
        overlaps = overlap(found.boxes, known)
        for box, score, row in zip(found.boxes.tolist(), found.scores.tolist(), overlaps, strict=True):
            nearest, near = faces[int(row.argmax())], float(row.max())
            x1, y1, x2, y2 = box
            proposed = replace(nearest, box=(x1, y1, x2, y2), proposal=Proposal(name, score))
            if near < look.no_face:
                yield replace(proposed, label=NO_FACE, face=None, is_face=0.0)
            else:
                yield replace(proposed, is_face=1.0 if near >= look.face else None)


def in_regions(regions: NDArray[np.floating], boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Bool (N,): which boxes (N, 4) lie in one of the regions (M, 4) by at least ``UNDECIDED`` of their area."""
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    shares = [shared_areas(boxes, region) >= areas * UNDECIDED for region in regions.astype(np.float32)]
    return np.logical_or.reduce(shares) if shares else np.zeros(len(boxes), np.bool_)
