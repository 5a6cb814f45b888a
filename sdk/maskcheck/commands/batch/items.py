"""The pictures that SOURCES name: files here and in object stores, and rows of Parquet files."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import click

from maskcheck.commands.batch.places import Places, is_remote, local_path, shown
from maskcheck.commands.detect.result_files.parquet_writer import import_pyarrow
from maskcheck.errors import SourceError
from maskcheck.pictures.formats import SUFFIXES
from maskcheck.sources import LeftOut, expand_home, find_sources
from maskcheck.sources.list_files import is_list, read_list
from maskcheck.sources.source import SourceKind

_PARQUET = (".parquet", ".pq")
_PICTURES: tuple[SourceKind, ...] = ("picture",)


@dataclass(frozen=True, slots=True)
class Item:
    """A picture, by where it is. Two items with the same source and row are the same.

    Attributes:
        source: The file: an absolute path of this machine, or an address without password and options.
        row: Row of that Parquet file that has the picture's bytes, from 0; None for a picture file.
        error: Why there is no such picture; None if there may be one.
    """

    source: str
    row: int | None = None
    error: str | None = None


def expand_lists(arguments: Iterable[str]) -> list[str]:
    """The arguments, with the lines of each ``@list.txt`` in its place.

    Raises:
        SourceError: A list cannot be read.
    """
    found: list[str] = []
    for argument in arguments:
        found += read_list(f"@{expand_home(argument[1:])}") if is_list(argument) else [argument]
    return found


def find_items(
    arguments: Iterable[str], column: str | None, places: Places, output: str, left_out: LeftOut
) -> Iterator[Item]:
    """The pictures that arguments name, each once, in a stable order.

    Args:
        arguments: Files, folders and patterns, here or at an address; without lists. With `column`, of Parquet files.
        column: Column of these files with the bytes of pictures, a struct of ``bytes`` and ``path``, or paths.
        places: Opens them.
        output: A folder that is not searched.
        left_out: Counts what is passed over.

    Raises:
        SourceError: An address or a Parquet file names nothing.
        click.UsageError: A Parquet file without `column`, a column that is not there, or a pipe.
    """
    seen: set[tuple[str, int | None]] = set()
    for argument in arguments:
        for item in _expand(argument, column, places, output, left_out):
            if (item.source, item.row) in seen:
                left_out.count("named twice", "named twice")
                continue
            seen.add((item.source, item.row))
            yield item


def in_share(item: Item, share: tuple[int, int]) -> bool:
    """Whether a picture belongs to a share of them all, which depends on its name alone.

    Args:
        item: The picture.
        share: ``(i, n)``: the i-th of n shares, from 1.
    """
    name = f"{item.source}\0{item.row}".encode("utf-8", "surrogateescape")
    return int.from_bytes(sha256(name).digest()[:8], "big") % share[1] == share[0] - 1


def _expand(argument: str, column: str | None, places: Places, output: str, left_out: LeftOut) -> Iterator[Item]:
    if column is not None:
        for file in places.find(shown(argument), _PARQUET):
            yield from _rows(file, column, places)
    elif argument.lower().endswith(_PARQUET):
        raise click.UsageError(f"{argument} is a Parquet file: name the column that has the pictures, with --column")
    elif is_remote(argument):
        for file in places.find(shown(argument), tuple(SUFFIXES)):
            yield Item(file)
    else:
        exclude = None if is_remote(output) else Path(local_path(output))
        plain = local_path(argument) if argument.startswith("file://") else argument
        for source in find_sources([plain], kinds=_PICTURES, exclude=exclude, left_out=left_out):
            if source.piped:
                raise click.UsageError(f"{argument} is a pipe, which cannot be read again; give files")
            error = None if source.error is None else str(source.error)
            yield Item(local_path(str(source.path)), None, error)


def _rows(file: str, column: str, places: Places) -> Iterator[Item]:
    pyarrow = import_pyarrow()
    system, path = places.open(file)
    try:
        with system.open_input_file(path) as opened:
            parquet = pyarrow.parquet.ParquetFile(opened, pre_buffer=False)
            schema = parquet.schema_arrow
            if column not in schema.names:
                raise click.UsageError(f"--column: {file} has the columns {', '.join(schema.names)}; got {column!r}")
            kind = schema.field(column).type
            if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
                row = 0
                for batch in parquet.iter_batches(columns=[column]):
                    for name in batch.column(0).to_pylist():
                        yield Item(beside(file, name)) if name else Item(file, row, f"row {row} of {file} has no path")
                        row += 1
                return
            if not _holds_bytes(kind):
                raise click.UsageError(
                    f"--column: expected bytes, a struct of bytes and path, or paths; {column} of {file} is {kind}"
                )
            rows = parquet.metadata.num_rows
    except (OSError, pyarrow.ArrowException) as error:
        raise SourceError(f"cannot read {file}: {error}", source=file) from error
    for row in range(rows):
        yield Item(file, row)


def _holds_bytes(kind: Any) -> bool:
    types = import_pyarrow().types
    if types.is_struct(kind):
        return any(field.name == "bytes" and _holds_bytes(field.type) for field in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


def beside(file: str, name: str) -> str:
    """The file that a path in another file means: an address, an absolute path, or one from that file's folder."""
    if is_remote(name):
        return shown(name)
    if is_remote(file):
        return posixpath.join(posixpath.dirname(file), name)
    return local_path(os.path.join(os.path.dirname(file), name))  # noqa: PTH118, PTH120
