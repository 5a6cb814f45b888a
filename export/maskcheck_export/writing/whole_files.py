"""Writes files that are complete or absent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maskcheck_export.errors import DataError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, which replaces `path` when it is complete; if the process is killed, the old file stays.

    Raises:
        DataError: The file cannot be written; the old file stays.
    """
    # The suffix stays, because Keras recognises formats by it.
    unfinished = path.with_name(f"unfinished-{path.name}")
    try:
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise DataError(f"cannot write {path}: {error.strerror or error}; what was there before is kept") from error
