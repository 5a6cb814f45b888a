"""The results of a run as JSON lines, CSV or COCO, for a stream of text.

In each form, pictures without faces and pictures that failed are there, too.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import IO, Any, Literal, TypeAlias

from maskcheck.results import FrameResult

Form: TypeAlias = Literal["jsonl", "csv", "coco", "parquet"]


def open_results(form: Form, stream: IO[str], labels: Sequence[str]) -> ResultWriter:
    """A writer of results in one of the forms of text.

    Args:
        form: ``jsonl`` (a line of the schema ``maskcheck/1`` for each picture), ``csv`` (a row for each face) or
            ``coco`` (https://cocodataset.org/#format-data).
        stream: Where to write; opened with ``newline=""``, so that lines end with the same character everywhere. It is
            not closed.
        labels: The model's labels in order: columns of CSV, categories of COCO.

    Raises:
        ValueError: The form is no text.
    """
    if form == "jsonl":
        return JSONLinesWriter(stream, labels)
    if form == "csv":
        from maskcheck.commands.detect.result_files.csv_writer import CSVWriter

        return CSVWriter(stream, labels)
    if form == "coco":
        from maskcheck.commands.detect.result_files.coco_writer import COCOWriter

        return COCOWriter(stream, labels)
    raise ValueError(f"form: expected jsonl, csv or coco, got {form}, which is no text and needs a file")


class ResultWriter(ABC):
    """Writes results to a stream.

    Args:
        stream: Where to write.
        labels: The model's labels in order.
    """

    def __init__(self, stream: IO[str], labels: Sequence[str]) -> None:
        self._stream = stream
        self._labels = tuple(labels)

    def write(self, result: FrameResult) -> None:
        """Add the result of a picture.

        Raises:
            OSError: It cannot be written.
            ValueError: A face has other labels.
        """
        self.write_line(result.to_dict())
        self._stream.flush()  # so that it stays, whatever happens later

    @abstractmethod
    def write_line(self, line: Mapping[str, Any]) -> None:
        """Add a result, given as :meth:`FrameResult.to_dict` gives it; it may stay in a buffer.

        Raises:
            OSError: It cannot be written.
            ValueError: A face has other labels.
        """

    def close(self) -> None:
        """Write the end of the file; the stream stays open."""
        self._stream.flush()


class JSONLinesWriter(ResultWriter):
    """A line of JSON for each result."""

    def write_line(self, line: Mapping[str, Any]) -> None:
        """Add a result."""
        self._stream.write(json.dumps(line, allow_nan=False) + "\n")


def check_labels(face: Mapping[str, Any], labels: Sequence[str]) -> None:
    """Check that a face has labels of the model.

    Raises:
        ValueError: It has others.
    """
    unknown = face["probabilities"].keys() - set(labels)
    if unknown:
        raise ValueError(f"expected a face with the labels {', '.join(labels)}, got also {', '.join(sorted(unknown))}")
