"""The results of a run as JSON lines, CSV or COCO.

In each form, pictures without faces and pictures that failed are there, too.
"""

from __future__ import annotations

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import IO, Any, Literal, TypeAlias

from maskcheck._version import __version__
from maskcheck.commands.console import printable
from maskcheck.results import Face, FrameResult

Form: TypeAlias = Literal["jsonl", "csv", "coco"]


def open_results(form: Form, stream: IO[str], labels: Sequence[str]) -> ResultWriter:
    """A writer of results in one of the forms.

    Args:
        form: ``jsonl`` (a line of the schema ``maskcheck/1`` for each picture), ``csv`` (a row for each face) or
            ``coco`` (https://cocodataset.org/#format-data).
        stream: Where to write; opened with ``newline=""``, so that lines end with the same character everywhere. It is
            not closed.
        labels: The model's labels in order: columns of CSV, categories of COCO.
    """
    return _WRITERS[form](stream, labels)


class ResultWriter(ABC):
    """Writes results to a stream.

    Args:
        stream: Where to write.
        labels: The model's labels in order.
    """

    def __init__(self, stream: IO[str], labels: Sequence[str]) -> None:
        self._stream = stream
        self._labels = tuple(labels)

    @abstractmethod
    def write(self, result: FrameResult) -> None:
        """Add the result of a picture.

        Raises:
            OSError: It cannot be written.
            ValueError: A face has other labels.
        """

    def close(self) -> None:
        """Write the end of the file; the stream stays open."""
        self._stream.flush()

    def _check_labels(self, face: Face) -> None:
        unknown = face.probabilities.keys() - set(self._labels)
        if unknown:
            raise ValueError(
                f"expected a face with the labels {', '.join(self._labels)}, got also {', '.join(sorted(unknown))}"
            )


class _JSONLines(ResultWriter):
    def write(self, result: FrameResult) -> None:
        self._stream.write(json.dumps(result.to_dict(), allow_nan=False) + "\n")
        self._stream.flush()  # so that it stays, whatever happens later


class _CSV(ResultWriter):
    """A row for each face; a picture without faces, and one that failed, has a row with an empty box."""

    def __init__(self, stream: IO[str], labels: Sequence[str]) -> None:
        super().__init__(stream, labels)
        self._writer = csv.writer(stream, lineterminator="\n")
        self._writer.writerow(
            ["source", "frame", "width", "height", "x1", "y1", "x2", "y2", "label", "confidence"]
            + [f"probability_{printable(label)}" for label in self._labels]
            + ["detection_score", "notes", "error"]
        )

    def write(self, result: FrameResult) -> None:
        for face in result:
            self._check_labels(face)
        line = result.to_dict()
        error = line["error"]
        picture = [_file_cell(result.source or ""), result.frame, *result.size]
        last = [
            _text_cell("; ".join(result.notes)),
            _text_cell(f"{error['type']}: {error['message']}" if error else ""),
        ]
        for face in line["faces"]:
            probabilities = [face["probabilities"].get(label, "") for label in self._labels]
            label, score = _text_cell(face["label"]), face["detection_score"]
            self._writer.writerow([*picture, *face["box"], label, face["confidence"], *probabilities, score, *last])
        if not line["faces"]:
            self._writer.writerow([*picture, *[""] * (7 + len(self._labels)), *last])
        self._stream.flush()


class _COCO(ResultWriter):
    """A JSON object, written when the writer is closed: images, annotations and categories.

    The score of an annotation, by which detections are ranked, is the detection score times the label's probability, as
    in ``maskcheck-bench accuracy``. Pictures that failed are under ``maskcheck_errors``, not among the
    images, so that an evaluation does not count their faces as missed.
    """

    def __init__(self, stream: IO[str], labels: Sequence[str]) -> None:
        super().__init__(stream, labels)
        # As text, which takes a fifth of the memory of the objects.
        self._images: list[str] = []
        self._annotations: list[str] = []
        self._errors: list[str] = []
        self._closed = False

    def write(self, result: FrameResult) -> None:
        line = result.to_dict()
        name = result.source or f"frame_{result.frame:06}"
        if line["error"]:
            self._errors.append(_json({"file_name": name, "frame": result.frame, **line["error"]}))
            return
        image = {
            "id": len(self._images) + 1,  # from 1: some programs take 0 for no image
            "file_name": name,
            "width": result.size[0],
            "height": result.size[1],
            "frame": result.frame,
        }
        faces = [self._annotation(face, content) for face, content in zip(result, line["faces"], strict=True)]
        for number, annotation in enumerate(faces, len(self._annotations) + 1):
            self._annotations.append(_json({"id": number, "image_id": image["id"], **annotation}))
        self._images.append(_json(image | ({"notes": line["notes"]} if result.notes else {})))

    def _annotation(self, face: Face, content: dict[str, Any]) -> dict[str, Any]:
        self._check_labels(face)
        x1, y1, x2, y2 = content["box"]
        score = face.confidence * (1.0 if face.detection_score is None else face.detection_score)
        return {
            "category_id": self._labels.index(face.label) + 1,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "iscrowd": 0,
            "segmentation": [],
            "score": round(score, 6),
            "attributes": {key: content[key] for key in ("confidence", "detection_score", "probabilities")},
        }

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            info = {"description": "Faces and their mask labels, found by maskcheck", "version": __version__}
            categories = [
                _json({"id": number, "name": label, "supercategory": "face"})
                for number, label in enumerate(self._labels, 1)
            ]
            self._stream.write(f'{{"info": {_json(info)}, "licenses": []')
            for key, entries in (
                ("images", self._images),
                ("annotations", self._annotations),
                ("categories", categories),
                ("maskcheck_errors", self._errors),
            ):
                self._stream.write(f',\n"{key}": [')
                for place, entry in enumerate(entries):
                    self._stream.write(f",\n{entry}" if place else f"\n{entry}")
                self._stream.write("]")
            self._stream.write("}\n")
        super().close()


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, allow_nan=False)


_WRITERS: dict[str, type[ResultWriter]] = {"jsonl": _JSONLines, "csv": _CSV, "coco": _COCO}

_FORMULA = ("=", "+", "-", "@")
"""How a formula begins, which a spreadsheet would run."""


def _file_cell(path: str) -> str:
    """A path for a spreadsheet: ``./`` keeps a relative name from being a formula, and is the same file."""
    return printable(f"./{path}" if path.startswith(_FORMULA) else path)


def _text_cell(text: str) -> str:
    """Text for a spreadsheet: a quote mark keeps it from being a formula."""
    return printable(f"'{text}" if text.startswith(_FORMULA) else text)
