"""Results as CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from typing import IO, Any

from maskcheck.commands.console import printable
from maskcheck.commands.detect.result_files.face_rows import column_names, face_rows
from maskcheck.commands.detect.result_files.result_writers import ResultWriter

_FORMULA = ("=", "+", "-", "@")
"""How a formula begins, which a spreadsheet would run."""


class CSVWriter(ResultWriter):
    """A row for each face (:mod:`.face_rows`); no cell is a formula."""

    def __init__(self, stream: IO[str], labels: Sequence[str]) -> None:
        super().__init__(stream, labels)
        self._writer = csv.writer(stream, lineterminator="\n")
        self._writer.writerow(map(printable, column_names(self._labels)))

    def write_line(self, line: Mapping[str, Any]) -> None:
        """Add a result."""
        for source, *others in face_rows(line, self._labels):
            self._writer.writerow([_file_cell(source or ""), *map(_cell, others)])


def _cell(value: object) -> object:
    if isinstance(value, str):
        return _text_cell(value)
    if isinstance(value, (bool, list)):
        return json.dumps(value)
    return "" if value is None else value


def _file_cell(path: str) -> str:
    """A path for a spreadsheet: ``./`` keeps a relative name from being a formula, and is the same file."""
    return printable(f"./{path}" if path.startswith(_FORMULA) else path)


def _text_cell(text: str) -> str:
    """Text for a spreadsheet: a quote mark keeps it from being a formula."""
    return printable(f"'{text}" if text.startswith(_FORMULA) else text)
