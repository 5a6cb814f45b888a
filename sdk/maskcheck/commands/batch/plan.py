"""The plan of a job: which pictures are in which part of the output. It is what makes a run that was killed go on."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from maskcheck.commands.batch.items import Item
from maskcheck.commands.batch.places import Folder
from maskcheck.commands.detect.result_files.parquet_writer import import_pyarrow

_FOLDER = "_job"  # readers of a folder of Parquet files pass over what begins with _
_PARTS_OF_A_SMALL_JOB = 64
_LEAST = 20  # pictures of a part: less than that is not worth its file
MOST = 1000
"""Pictures of a part of a large job: what is lost when a process is killed is less than a minute of a CPU's work."""


def part_name(part: int) -> str:
    """The file of a part."""
    return f"part-{part:08}.parquet"


def part_size(pictures: int) -> int:
    """Pictures in a part, for a job of so many: small jobs are cut so that there is a part for each of many workers."""
    return min(MOST, max(_LEAST, -(-pictures // _PARTS_OF_A_SMALL_JOB)))


class Plan:
    """Numbered parts of a few hundred pictures each, in Parquet files of the output folder.

    A part has the same pictures for ever, so whoever works on it, and how often, writes the same file. A row group of a
    plan's file is a part. Pictures that a later run finds make a plan's file of their own.

    Args:
        folder: The output folder.
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._files: dict[int, Any] = {}  # by its first part
        for name in folder.names(_FOLDER):
            stem, _, ending = name.partition(".")
            if stem.startswith("plan-") and ending == "parquet":
                self._open(int(stem[5:]))

    def __len__(self) -> int:
        """Parts in all."""
        return max((first + file.num_row_groups for first, file in self._files.items()), default=0)

    @property
    def pictures(self) -> int:
        """Pictures in all."""
        return sum(file.metadata.num_rows for file in self._files.values())

    def size(self, part: int) -> int:
        """Pictures of a part."""
        file, group = self._find(part)
        return int(file.metadata.row_group(group).num_rows)

    def items(self, part: int) -> list[Item]:
        """The pictures of a part, in order."""
        file, group = self._find(part)
        table = file.read_row_group(group)
        sources, rows, errors = (table.column(name).to_pylist() for name in ("source", "row", "error"))
        return [Item(os.fsdecode(source), row, error) for source, row, error in zip(sources, rows, errors, strict=True)]

    def all_items(self) -> Iterator[Item]:
        """The pictures of all parts."""
        for part in range(len(self)):
            yield from self.items(part)

    def add(self, items: Sequence[Item], size: int) -> None:
        """Make parts of more pictures.

        Args:
            items: The pictures, none of which is in the plan.
            size: How many a part has.

        Raises:
            OSError: It cannot be written.
        """
        if items:
            first = len(self)
            self._folder.write(_plan_name(first), _encoded(items, size))
            self._open(first)

    def _open(self, first: int) -> None:
        parquet = import_pyarrow().parquet
        self._files[first] = parquet.ParquetFile(self._folder.open(_plan_name(first)))

    def _find(self, part: int) -> tuple[Any, int]:
        starts = sorted(self._files)
        first = starts[bisect_right(starts, part) - 1]
        return self._files[first], part - first


def _plan_name(first: int) -> str:
    return f"{_FOLDER}/plan-{first:08}.parquet"


def _encoded(items: Iterable[Item], size: int) -> bytes:
    pyarrow = import_pyarrow()
    schema = pyarrow.schema(
        [("source", pyarrow.binary()), ("row", pyarrow.int64()), ("error", pyarrow.string())]  # a name may be no UTF-8
    )
    stream = io.BytesIO()
    left = iter(items)
    with pyarrow.parquet.ParquetWriter(stream, schema) as writer:
        while part := list(islice(left, size)):
            columns = [
                [os.fsencode(item.source) for item in part],
                [item.row for item in part],
                [item.error and item.error.encode("utf-8", "backslashreplace").decode("utf-8") for item in part],
            ]
            arrays = [pyarrow.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), row_group_size=size)
    return stream.getvalue()
