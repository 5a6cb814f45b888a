"""The search for pictures in a folder and all folders below it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePath

from maskcheck.pictures.decoding.files import file_kind, open_without_blocking
from maskcheck.pictures.formats import HEAD_BYTES, SUFFIXES, picture_format
from maskcheck.sources.left_out import LeftOut
from maskcheck.sources.source import RAW_SUFFIXES, Source, failed_source, picture_source, reason

_SEPARATORS = os.sep + (os.altsep or "")


def search_folder(root: str, excluded: str | None, left_out: LeftOut) -> Iterator[Source]:
    """The pictures in a folder: first its own by name, then those of each subfolder.

    Args:
        root: The folder.
        excluded: The real path of a folder that is not searched.
        left_out: Counts what the search passes over.

    Yields:
        Pictures; an error in place of a file or folder that cannot be read, or if the folder holds no picture.
    """
    passed_over = LeftOut()
    is_empty = True
    folders = [root]
    while folders:
        folder = folders.pop()
        entries, error = _list_folder(folder)
        subfolders = []
        for entry in entries:
            if _is_subfolder(entry):
                if excluded is not None and os.path.realpath(entry.path) == excluded:
                    passed_over.count("the output folder", "")
                else:
                    subfolders.append(entry.path)
            elif (source := _examine_file(entry, root, passed_over)) is not None:
                is_empty = False
                yield source
        if error is not None:
            is_empty = False
            yield failed_source(folder, f"cannot read folder {folder}: {reason(error)}")
        folders += reversed(subfolders)
    left_out.add(passed_over)
    if is_empty:
        contents = f", only {passed_over}" if passed_over else ", it is empty"
        yield failed_source(root, f"no picture in folder {root}{contents}")


def _list_folder(folder: str) -> tuple[list[os.DirEntry[str]], OSError | None]:
    """The entries of a folder by name, and the error that ended the listing early."""
    entries = []
    listing_error = None
    try:
        with os.scandir(folder) as listing:
            for entry in listing:
                entries.append(entry)  # noqa: PERF402  entries before an error are kept
    except OSError as error:
        listing_error = error
    return sorted(entries, key=lambda entry: entry.name), listing_error


def _is_subfolder(entry: os.DirEntry[str]) -> bool:
    try:
        return not _is_hidden(entry) and entry.is_dir(follow_symlinks=False)
    except OSError:  # _examine_file reports it
        return False


def _is_hidden(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(".")


def _examine_file(entry: os.DirEntry[str], root: str, left_out: LeftOut) -> Source | None:
    """An entry that is a picture or cannot be read; None for any other, which is counted."""
    if _is_hidden(entry):
        left_out.count("hidden", "hidden")
        return None
    try:
        mode = entry.stat(follow_symlinks=False).st_mode
    except OSError as error:  # a network folder that is gone, for example
        return failed_source(entry.path, f"cannot read {entry.path}: {reason(error)}")
    if stat.S_ISLNK(mode):
        try:
            mode = Path(entry.path).stat().st_mode
        except OSError:  # its target is missing, or it is its own target
            left_out.count("broken link", "broken links")
            return None
        if stat.S_ISDIR(mode):  # it may lead in a circle, or out of the folder that the user named
            left_out.count("link to a folder", "links to folders")
            return None
    if not stat.S_ISREG(mode):
        left_out.count(file_kind(mode), f"{file_kind(mode)}s")
        return None
    if PurePath(entry.name).suffix.lower() not in SUFFIXES | RAW_SUFFIXES:
        try:
            with open_without_blocking(entry.path) as file:
                head = file.read(HEAD_BYTES)
        except OSError:
            left_out.count("file that cannot be opened", "files that cannot be opened")
            return None
        if picture_format(head or b"") is None:  # None: a pipe has replaced the file
            left_out.count_other_file(entry.name)
            return None
    return picture_source(Path(entry.path), Path(entry.path[len(root) :].lstrip(_SEPARATORS)))
