"""Results as Parquet, with the package pyarrow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from maskcheck._version import __version__
from maskcheck.commands.detect.result_files.face_rows import column_names, face_rows
from maskcheck.errors import PackageNotInstalled

PARQUET_MAGIC = b"PAR1"
"""How each Parquet file begins."""

_OWN = b"maskcheck"  # key of the metadata of the file
_ROWS = 50_000  # that are held in memory
_WHOLE = ("frame", "width", "height", "x1", "y1", "x2", "y2", "track_id")
_TEXTS = ("source", "label", "notes", "error")


def import_pyarrow() -> Any:
    """The package pyarrow, with its module ``parquet``.

    Raises:
        PackageNotInstalled: It is not installed, or cannot be imported.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise PackageNotInstalled(
            f"results in Parquet need the package pyarrow, which cannot be imported ({error}); install it:"
            ' pip install "maskcheck[parquet]"',
            package="pyarrow",
        ) from error
    return pyarrow


def is_own_parquet(path: Path) -> bool:
    """Whether a Parquet file was written by :func:`write_parquet`.

    Raises:
        PackageNotInstalled: There is no pyarrow.
    """
    pyarrow = import_pyarrow()
    try:
        return _OWN in (pyarrow.parquet.read_schema(path).metadata or {})
    except (OSError, pyarrow.ArrowException):
        return False


def write_parquet(
    stream: IO[bytes],
    lines: Iterable[Mapping[str, Any]],
    labels: Sequence[str],
    *,
    first_columns: Sequence[str] = (),
    metadata: Mapping[bytes, bytes] | None = None,
) -> None:
    """Write results as Parquet: a row for each face, in the columns of :mod:`.face_rows`.

    Boxes, sizes and numbers of frames and tracks are int32 or int64, ``notes`` and ``error`` text, ``landmarks`` a list
    of lists of two numbers; what there is not is null. A byte of a name that is not UTF-8 is written as an escape.

    Args:
        stream: Where to write; it is not closed.
        lines: Results, as :meth:`FrameResult.to_dict` gives them.
        labels: The model's labels in order.
        first_columns: Texts that `lines` have beside results: they become columns before the others.
        metadata: Of the file.

    Raises:
        PackageNotInstalled: There is no pyarrow.
        OSError: It cannot be written.
        ValueError: A face has other labels.
    """
    pyarrow = import_pyarrow()
    names = [_text(name) for name in column_names(labels)]
    schema = pyarrow.schema(
        [*((name, pyarrow.string()) for name in first_columns), *((name, _type(pyarrow, name)) for name in names)],
        metadata={_OWN: __version__.encode("ascii"), **(metadata or {})},
    )
    with pyarrow.parquet.ParquetWriter(stream, schema) as writer:
        rows: list[list[Any]] = []

        def flush() -> None:
            columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in schema]
            arrays = [pyarrow.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
            rows.clear()

        for line in lines:
            first = [line[name] for name in first_columns]
            rows += (_texts([*first, *row]) for row in face_rows(line, labels))
            if len(rows) >= _ROWS:
                flush()
        if rows:
            flush()


def _type(pyarrow: Any, name: str) -> Any:
    if name in _TEXTS:
        return pyarrow.string()
    if name in _WHOLE:
        return pyarrow.int64() if name in ("frame", "track_id") else pyarrow.int32()
    if name == "predicted":
        return pyarrow.bool_()
    if name == "landmarks":
        return pyarrow.list_(pyarrow.list_(pyarrow.float64()))
    return pyarrow.float64()


def _texts(row: Iterable[Any]) -> list[Any]:
    return [_text(value) if isinstance(value, str) else value for value in row]


def _text(text: str) -> str:
    """Text without lone surrogates, which no encoding writes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
