"""A row for each face: the columns that CSV and Parquet share.

A picture without faces, and one that failed, has a row with an empty box.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from maskcheck.commands.detect.result_files.result_writers import check_labels

BEFORE_PROBABILITIES = ("source", "frame", "width", "height", "x1", "y1", "x2", "y2", "label", "confidence")
AFTER_PROBABILITIES = ("detection_score", "notes", "error", "time", "track_id", "predicted", "landmarks", "face")


def column_names(labels: Sequence[str]) -> list[str]:
    """The names of the columns."""
    return [*BEFORE_PROBABILITIES, *(f"probability_{label}" for label in labels), *AFTER_PROBABILITIES]


def face_rows(line: Mapping[str, Any], labels: Sequence[str]) -> Iterator[list[Any]]:
    """The rows of a result, in the order of the columns; None where there is nothing.

    Args:
        line: The result, as :meth:`FrameResult.to_dict` gives it.
        labels: The model's labels in order.

    Raises:
        ValueError: A face has other labels.
    """
    for face in line["faces"]:
        check_labels(face, labels)
    error = line["error"]
    picture = [line["source"], line["frame"], line["width"], line["height"]]
    about = [
        "; ".join(line.get("notes", ())) or None,
        f"{error['type']}: {error['message']}" if error else None,
        line.get("time"),
    ]
    for face in line["faces"]:
        yield [
            *picture,
            *face["box"],
            face["label"],
            face["confidence"],
            *(face["probabilities"].get(label) for label in labels),
            face["detection_score"],
            *about,
            face.get("track_id"),
            face.get("predicted", False),
            face.get("landmarks"),
            face.get("face"),
        ]
    if not line["faces"]:
        yield [*picture, *[None] * (6 + len(labels)), None, *about, None, None, None, None]
