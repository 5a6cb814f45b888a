"""A journal of results as a file in another form."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

from maskcheck.commands.detect.result_files.coco_writer import write_coco
from maskcheck.commands.detect.result_files.csv_writer import CSVWriter
from maskcheck.commands.detect.result_files.journal import read_journal
from maskcheck.commands.detect.result_files.parquet_writer import import_pyarrow, write_parquet
from maskcheck.commands.detect.result_files.result_writers import Form
from maskcheck.commands.detect.result_files.safe_files import PART, create_anew


def check_form(form: Form) -> None:
    """Check, before the work begins, that results can be written in a form.

    Raises:
        PackageNotInstalled: It needs a package that is missing.
    """
    if form == "parquet":
        import_pyarrow()


def convert(journal: Path, form: Form, target: Path, labels: Sequence[str]) -> None:
    """Write the results of a journal in another form, whole or not at all; few of them are in memory at once.

    Args:
        journal: Lines of JSON.
        form: The form of `target`.
        target: The file; it is replaced.
        labels: The model's labels in order.

    Raises:
        OSError: It cannot be written; its ``filename`` is the target.
        ValueError: A face has other labels.
    """
    temporary = target.with_name(target.name + PART)
    try:
        with os.fdopen(create_anew(temporary), "wb") as file:
            if form == "parquet":
                write_parquet(file, read_journal(journal), labels)
            else:
                with io.TextIOWrapper(file, "utf-8", errors="backslashreplace", newline="") as stream:
                    _write_text(journal, form, stream, labels)
        temporary.replace(target)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror or str(error), str(target)) from error
        raise


def _write_text(journal: Path, form: Form, stream: IO[str], labels: Sequence[str]) -> None:
    if form == "coco":
        write_coco(stream, partial(read_journal, journal), labels)
        return
    writer = CSVWriter(stream, labels)
    for line in read_journal(journal):
        writer.write_line(line)
    writer.close()
