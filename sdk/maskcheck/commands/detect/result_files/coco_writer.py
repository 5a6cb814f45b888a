"""Results as COCO: a JSON object with images, annotations and categories."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

from maskcheck._version import __version__
from maskcheck.commands.detect.result_files.result_writers import ResultWriter, check_labels

_MEMORY = 8_000_000  # bytes of results that are held in memory, before a temporary file holds them


class COCOWriter(ResultWriter):
    """Keeps results in a temporary file until it is closed, and writes the object then."""

    def __init__(self, stream: IO[str], labels: Sequence[str]) -> None:
        super().__init__(stream, labels)
        self._kept = tempfile.SpooledTemporaryFile(_MEMORY, "w+", encoding="utf-8")  # noqa: SIM115  closed in close()
        self._closed = False

    def write_line(self, line: Mapping[str, Any]) -> None:
        """Add a result."""
        for face in line["faces"]:
            check_labels(face, self._labels)
        self._kept.write(json.dumps(line, allow_nan=False) + "\n")

    def close(self) -> None:
        """Write the object; the stream stays open."""
        if not self._closed:
            self._closed = True
            with self._kept:
                write_coco(self._stream, self._lines, self._labels)
        super().close()

    def _lines(self) -> Iterator[dict[str, Any]]:
        self._kept.seek(0)
        return map(json.loads, self._kept)


def write_coco(stream: IO[str], lines: Callable[[], Iterable[Mapping[str, Any]]], labels: Sequence[str]) -> None:
    """Write results as COCO; they are read once for each part of the object, so that none is held in memory.

    The score of an annotation, by which detections are ranked, is the detection score times the label's probability, as
    in ``maskcheck-bench accuracy``. Pictures that failed are under ``maskcheck_errors``, not among the images, so that
    an evaluation does not count their faces as missed.

    Args:
        stream: Where to write.
        lines: Gives the results anew at each call, as :meth:`FrameResult.to_dict` gives them.
        labels: The model's labels in order.

    Raises:
        OSError: It cannot be written.
        ValueError: A face has other labels.
    """
    info = {"description": "Faces and their mask labels, found by maskcheck", "version": __version__}
    categories = [{"id": number, "name": label, "supercategory": "face"} for number, label in enumerate(labels, 1)]
    stream.write(f'{{"info": {_json(info)}, "licenses": []')
    parts: dict[str, Callable[[], Iterable[Mapping[str, Any]]]] = {
        "images": lambda: _images(lines()),
        "annotations": lambda: _annotations(lines(), labels),
        "categories": lambda: categories,
        "maskcheck_errors": lambda: _errors(lines()),
    }
    for key, entries in parts.items():
        stream.write(f',\n"{key}": [')
        for place, entry in enumerate(entries()):
            stream.write(f",\n{_json(entry)}" if place else f"\n{_json(entry)}")
        stream.write("]")
    stream.write("}\n")


def _images(lines: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    # Numbers from 1: some programs take 0 for no image.
    for number, line in enumerate((line for line in lines if not line["error"]), 1):
        image = {"id": number, "file_name": _name(line), "width": line["width"], "height": line["height"]}
        image["frame"] = line["frame"]
        yield image | {key: line[key] for key in ("time", "notes") if key in line}


def _annotations(lines: Iterable[Mapping[str, Any]], labels: Sequence[str]) -> Iterator[dict[str, Any]]:
    number = 0
    for image, line in enumerate((line for line in lines if not line["error"]), 1):
        for face in line["faces"]:
            number += 1
            yield {"id": number, "image_id": image, **_annotation(face, labels)}


def _annotation(face: Mapping[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    check_labels(face, labels)
    x1, y1, x2, y2 = face["box"]
    score = face["confidence"] * (1.0 if face["detection_score"] is None else face["detection_score"])
    attributes = ("confidence", "detection_score", "probabilities", "track_id", "predicted", "face")
    return {
        "category_id": labels.index(face["label"]) + 1,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": (x2 - x1) * (y2 - y1),
        "iscrowd": 0,
        "segmentation": [],
        "score": round(score, 6),
        "attributes": {key: face[key] for key in attributes if key in face},
    }


def _errors(lines: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line["error"]:
            yield {"file_name": _name(line), "frame": line["frame"], **line["error"]}


def _name(line: Mapping[str, Any]) -> str:
    return line["source"] or f"frame_{line['frame']:06}"


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, allow_nan=False)
