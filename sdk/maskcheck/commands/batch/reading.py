"""The bytes of pictures, read ahead of the work on them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from typing import Any

from maskcheck.commands.batch.items import Item, beside
from maskcheck.commands.batch.places import Places
from maskcheck.commands.detect.result_files.parquet_writer import import_pyarrow
from maskcheck.errors import ImageError, MaskCheckError, SourceError
from maskcheck.pictures.limits import DecodingLimits

_ROWS = 16  # of a Parquet file that are read together: each may be a large picture


@dataclass(frozen=True)
class Content:
    """What was read of a picture.

    Attributes:
        item: The picture.
        data: Its encoded bytes; None if `error` says why there are none.
        error: Why it cannot be read.
    """

    item: Item
    data: bytes | None
    error: MaskCheckError | None = None

    def digest(self) -> str | None:
        """SHA-256 of the bytes, in hexadecimal: the same picture has the same one wherever it lies."""
        return None if self.data is None else sha256(self.data).hexdigest()


def read_items(
    items: Sequence[Item], column: str | None, places: Places, limits: DecodingLimits, *, ahead: int
) -> Iterator[Content]:
    """Read pictures, in order; what cannot be read has an error, and the others go on.

    Args:
        items: The pictures.
        column: Of rows of Parquet files, the column with the bytes.
        places: Opens files.
        limits: ``max_file_bytes`` holds for each.
        ahead: Files that are read at the same time, before they are asked for.
    """
    for file, run in groupby(items, lambda item: item.source if item.row is not None and item.error is None else None):
        if file is None:
            yield from _read_files(list(run), places, limits, ahead)
        else:
            assert column is not None
            yield from _read_rows(file, list(run), column, places, limits)


def _read_files(items: Sequence[Item], places: Places, limits: DecodingLimits, ahead: int) -> Iterator[Content]:
    with ThreadPoolExecutor(ahead, "maskcheck reading") as threads:
        pending: deque[Future[Content]] = deque()
        try:
            for item in items:
                pending.append(threads.submit(_read_file, item, places, limits))
                if len(pending) > ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _read_file(item: Item, places: Places, limits: DecodingLimits) -> Content:
    if item.error is not None:
        return Content(item, None, SourceError(item.error, source=item.source))
    try:
        return Content(item, places.read(item.source, limits))
    except MaskCheckError as error:
        return Content(item, None, error)


def _read_rows(
    file: str, items: Sequence[Item], column: str, places: Places, limits: DecodingLimits
) -> Iterator[Content]:
    wanted = {item.row: item for item in items}
    values = _values(file, sorted(row for row in wanted if row is not None), column, places)
    failure: MaskCheckError | None = None
    done = 0
    try:
        for row, value in values:
            done += 1
            yield _content(wanted[row], value, places, limits)
    except MaskCheckError as error:
        failure = error
    except Exception as error:  # a damaged file, or a store that fails
        failure = ImageError(f"cannot read {file}: {error}", source=file)
    for item in items[done:]:
        missing = ImageError(f"row {item.row} of {file} is not there any more", source=file)
        yield Content(item, None, failure or missing)


def _values(file: str, rows: Sequence[int], column: str, places: Places) -> Iterator[tuple[int, Any]]:
    """The values of some rows of a column, in order. What lies before them in their row groups is read, and dropped."""
    pyarrow = import_pyarrow()
    system, path = places.open(file)
    left = deque(rows)
    with system.open_input_file(path) as opened:
        parquet = pyarrow.parquet.ParquetFile(opened, pre_buffer=False, buffer_size=1 << 20)
        start = 0
        for group in range(parquet.num_row_groups):
            end = start + parquet.metadata.row_group(group).num_rows
            if left and left[0] < end:
                position = start
                for batch in parquet.iter_batches(_ROWS, row_groups=[group], columns=[column]):
                    while left and left[0] < position + len(batch):
                        row = left.popleft()
                        yield row, batch.column(0)[row - position].as_py()
                    position += len(batch)
                    if not left or left[0] >= end:
                        break
            start = end


def _content(item: Item, value: Any, places: Places, limits: DecodingLimits) -> Content:
    name = None
    if isinstance(value, dict):
        value, name = value.get("bytes"), value.get("path")
    if isinstance(value, (bytes, bytearray)):
        return Content(item, bytes(value))
    if isinstance(name, str) and name:
        try:
            return Content(item, places.read(beside(item.source, name), limits))
        except MaskCheckError as error:
            return Content(item, None, error)
    return Content(item, None, ImageError(f"row {item.row} of {item.source} has no picture", source=item.source))
