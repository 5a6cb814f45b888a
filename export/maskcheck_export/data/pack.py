"""Packs the training faces with their surroundings into HDF5 files, so that no picture is decoded twice.

Faces are written and read one by one, so memory does not grow with the data. Each file, a shard, counts only when it is
complete: packing that was stopped goes on with the first missing shard.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

from maskcheck.pictures.box import Box
from maskcheck.pictures.decoding import BGRImage, load_image
from maskcheck_export.data.landmarks import POINTS, LandmarkFinder
from maskcheck_export.data.portraits import find_face
from maskcheck_export.data.samples import NO_FACE, Sample
from maskcheck_export.errors import DataError
from maskcheck_export.writing.whole_files import replacing

FACES_A_SHARD = 512

REACH = 0.75
"""Surroundings that are kept on each side of a box, as a share of its longer side."""

LARGEST = 256
"""Longest side of a packed box, in pixels; larger faces are shrunk."""

_FOREHEAD = 0.28
"""From the hairline to a box of a detector, as a share of its height: the median of the landmarks in `crowd`."""

_FORMAT = "maskcheck-pack/4"


@dataclass(frozen=True)
class Region:
    """A face with its surroundings.

    Attributes:
        pixels: uint8 (H, W, 3), BGR.
        box: float32 (4,), the labelled box, ``x1, y1, x2, y2`` in pixels of `pixels`.
        face: float32 (4,), the face from hairline to chin, for painting a mask; None where it is unknown.
        target: float32 (4,), where the face is, for the model to learn; None where it is unknown.
        landmarks: float32 (5, 2), eyes, nose and corners of the mouth, x and y in pixels of `pixels`; None where they
            are unknown.
    """

    pixels: BGRImage
    box: NDArray[np.float32]
    face: NDArray[np.float32] | None
    target: NDArray[np.float32] | None = None
    landmarks: NDArray[np.float32] | None = None


def cut_region(picture: BGRImage, sample: Sample, landmarks: NDArray[np.float32] | None = None) -> Region:
    """Cut a sample out of its picture.

    A crop of the region is the same as a crop of the picture, up to a margin of ``REACH``, unless the face is shrunk.
    """
    height, width = picture.shape[:2]
    box = np.array(sample.box, np.float32)
    reach = REACH * max(box[2] - box[0], box[3] - box[1])
    # An even offset: crops round halves to even numbers, and must round alike here.
    left, top = np.floor(np.maximum(box[:2] - reach, 0) / 2).astype(int) * 2
    right, bottom = np.ceil(np.minimum(box[2:] + reach, [width, height])).astype(int)
    pixels, offset = picture[top:bottom, left:right], np.array([left, top, left, top], np.float32)
    scale = min(LARGEST / max(box[2] - box[0], box[3] - box[1]), 1)
    if scale < 1:
        shrunk = [max(round(side * scale), 1) for side in (right - left, bottom - top)]
        pixels = np.asarray(cv2.resize(pixels, shrunk, interpolation=cv2.INTER_AREA), np.uint8)
    box = (box - offset) * np.float32(scale)
    target = None if sample.face is None else (np.array(sample.face, np.float32) - offset) * np.float32(scale)
    face: NDArray[np.float32] | None
    if target is not None:  # boxes where a detector sees a face begin at the brows
        face = target - np.array([0, _FOREHEAD * (target[3] - target[1]), 0, 0], np.float32)
    else:
        face = None if sample.whole or sample.label == NO_FACE else box
    points = None if landmarks is None else (landmarks - offset[:2]) * np.float32(scale)
    return Region(np.ascontiguousarray(pixels), box, face, target, points)


class Pack:
    """The packed faces of a list of samples; safe to share between threads.

    Args:
        shards: The files, in order.
        count: Number of faces in all shards.
    """

    def __init__(self, shards: Sequence[Path], count: int) -> None:
        self._shards, self._count = tuple(shards), count
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._count

    @cached_property
    def _files(self) -> list[h5py.File]:
        return [h5py.File(path) for path in self._shards]

    def read(self, indices: Sequence[int]) -> list[Region]:
        """Read faces by their index in the list of samples.

        Raises:
            DataError: A shard is damaged.
        """
        with self._lock:  # HDF5 allows one reader at a time; decoding is outside
            stored = [self._read(*divmod(index, FACES_A_SHARD)) for index in indices]
        return [
            Region(
                np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8),
                box,
                None if np.isnan(face[0]) else face,
                None if np.isnan(target[0]) else target,
                None if np.isnan(landmarks[0, 0]) else landmarks,
            )
            for data, (box, face, target, landmarks) in stored
        ]

    @cached_property
    def with_landmarks(self) -> int:
        """How many faces have known landmarks."""
        with self._lock:
            return sum(int((~np.isnan(file["landmarks"][:, 0, 0])).sum()) for file in self._files)

    def _read(self, shard: int, row: int) -> tuple[NDArray[np.uint8], list[NDArray[np.float32]]]:
        file = self._files[shard]
        try:
            return file["pixels"][row], [file[name][row] for name in ("box", "face", "target", "landmarks")]
        except OSError as error:
            raise DataError(f"{file.filename} cannot be read: {error}; remove the file and train again") from error


def pack_faces(
    samples: Sequence[Sample],
    folder: Path,
    *,
    bare_label: str,
    report: Callable[[str], None],
    landmarks: LandmarkFinder | None = None,
) -> Pack:
    """Pack samples into a folder.

    Complete shards of the same samples are kept; shards that are damaged or hold other samples are written again.

    Args:
        samples: The faces; consecutive faces of one picture need one decoding.
        folder: Folder of the shards; created if missing.
        bare_label: Label of the faces that masks may be painted on; in whole pictures of it, OpenCV finds the face.
        report: Called with a line of progress.
        landmarks: Finds eyes, nose and mouth of each face; None leaves them unknown.

    Raises:
        ImageError: A picture cannot be read.
        PluginError: The detector of the landmarks failed.
        DataError: A shard cannot be written, as when the disk is full; finished shards stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = []
    for first in range(0, len(samples), FACES_A_SHARD):
        members = samples[first : first + FACES_A_SHARD]
        path = folder / f"{first // FACES_A_SHARD:05}.h5"
        fingerprint = _fingerprint(members, bare_label, landmarks)
        if not _is_complete(path, fingerprint, report):
            report(f"packing faces {first + 1} to {first + len(members)} of {len(samples)}")
            with replacing(path) as unfinished:
                _write(unfinished, members, fingerprint, bare_label, landmarks)
        shards.append(path)
    return Pack(shards, len(samples))


def _fingerprint(samples: Sequence[Sample], bare_label: str, landmarks: LandmarkFinder | None) -> str:
    """A hash of everything that a shard depends on; of a picture, its path, size and time of change."""
    described = [
        [
            *(str(sample.path), sample.path.stat().st_size, sample.path.stat().st_mtime_ns),
            *(sample.box, sample.label, sample.face),
        ]
        for sample in samples
    ]
    content = json.dumps([_FORMAT, REACH, LARGEST, bare_label, landmarks and landmarks.name, described])
    return hashlib.sha256(content.encode()).hexdigest()


def _is_complete(path: Path, fingerprint: str, report: Callable[[str], None]) -> bool:
    if not path.exists():
        return False
    try:
        with h5py.File(path) as file:
            if file.attrs.get("fingerprint") == fingerprint:
                return True
        report(f"{path} holds other faces, packing again")
    except OSError as error:
        report(f"{path} is damaged, packing again: {error}")
    return False


def _write(
    path: Path, samples: Sequence[Sample], fingerprint: str, bare_label: str, landmarks: LandmarkFinder | None
) -> None:
    with h5py.File(path, "w") as file:
        pixels = file.create_dataset("pixels", len(samples), h5py.vlen_dtype(np.uint8))
        box = file.create_dataset("box", (len(samples), 4), np.float32)
        face = file.create_dataset("face", (len(samples), 4), np.float32)
        target = file.create_dataset("target", (len(samples), 4), np.float32)
        points = file.create_dataset("landmarks", (len(samples), POINTS, 2), np.float32)
        row = 0
        for picture_path, members in groupby(samples, key=lambda sample: sample.path):
            picture = load_image(picture_path).pixels
            found: dict[Box | None, NDArray[np.float32] | None] = {}  # proposals share the faces of the picture
            for sample in members:
                region = cut_region(picture, sample, _landmarks(picture, sample, landmarks, found))
                face_box = region.face
                if face_box is None and sample.label == bare_label:
                    face_box = find_face(region.pixels)
                # Lossless, with little compression, because the training waits for the decoding.
                pixels[row] = cv2.imencode(".png", region.pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].ravel()
                box[row], face[row] = region.box, np.nan if face_box is None else face_box
                target[row] = np.nan if region.target is None else region.target
                points[row] = np.nan if region.landmarks is None else region.landmarks
                row += 1
        file.attrs["fingerprint"] = fingerprint


def _landmarks(
    picture: BGRImage,
    sample: Sample,
    finder: LandmarkFinder | None,
    found: dict[Box | None, NDArray[np.float32] | None],
) -> NDArray[np.float32] | None:
    if finder is None or sample.label == NO_FACE:
        return None
    face = sample.face or (None if sample.whole else sample.box)
    if face not in found:
        found[face] = finder.find(picture, face)
    return found[face]
