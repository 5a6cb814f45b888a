"""Searches a folder and all folders below it for pictures and videos."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from maskcheck.pictures.decoding.files import file_kind
from maskcheck.sources.file_kinds import kind_of_file, source_of_kind, videos_can_be_read
from maskcheck.sources.left_out import LeftOut
from maskcheck.sources.source import Source, SourceKind, failed_source, reason

_SEPARATORS = os.sep + (os.altsep or "")
_NEEDS_PACKAGE = 'needs: pip install "maskcheck[video]"'


def search_folder(
    root: str, kinds: Collection[SourceKind], excluded: str | None, left_out: LeftOut
) -> Iterator[Source]:
    """The pictures and videos in a folder: first its own by name, then those of each subfolder.

    Args:
        root: The folder.
        kinds: The kinds of sources to find.
        excluded: The real path of a folder that is not searched.
        left_out: Counts what the search skips.

    Yields:
        Sources; an error in place of each file or folder that cannot be read, and if the folder contains no source.
    """
    skipped = LeftOut()
    is_empty = True
    folders = [root]
    while folders:
        folder = folders.pop()
        entries, error = _list_folder(folder)
        subfolders = []
        for entry in entries:
            if _is_subfolder(entry):
                if excluded is not None and os.path.realpath(entry.path) == excluded:
                    skipped.count("the output folder", "")
                else:
                    subfolders.append(entry.path)
            elif (source := _examine_file(entry, root, kinds, skipped)) is not None:
                is_empty = False
                yield source
        if error is not None:
            is_empty = False
            yield failed_source(folder, f"cannot read folder {folder}: {reason(error)}")
        folders += reversed(subfolders)
    left_out.add(skipped)
    if is_empty:
        contents = f", only {skipped}" if skipped else ", it is empty"
        wanted = "picture or video" if "video" in kinds else "picture"
        yield failed_source(root, f"no {wanted} in folder {root}{contents}")


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


def _examine_file(
    entry: os.DirEntry[str], root: str, kinds: Collection[SourceKind], left_out: LeftOut
) -> Source | None:
    """The source for an entry that is wanted or cannot be read; None for any other entry, which is counted."""
    if _is_hidden(entry):
        left_out.count("hidden", "hidden")
        return None
    try:
        mode = entry.stat(follow_symlinks=False).st_mode
    except OSError as error:  # such as a network folder that was disconnected
        return failed_source(entry.path, f"cannot read {entry.path}: {reason(error)}")
    if stat.S_ISLNK(mode):
        try:
            mode = Path(entry.path).stat().st_mode
        except OSError:  # its target is missing, or it is its own target
            left_out.count("broken link", "broken links")
            return None
        if stat.S_ISDIR(mode):  # it may form a loop, or leave the folder that the user named
            left_out.count("link to a folder", "links to folders")
            return None
    if not stat.S_ISREG(mode):
        left_out.count(file_kind(mode), f"{file_kind(mode)}s")
        return None
    try:
        kind = kind_of_file(entry.path)
    except OSError:
        left_out.count("file that cannot be opened", "files that cannot be opened")
        return None
    if kind == "video" and kind in kinds and not videos_can_be_read():
        left_out.count(f"video ({_NEEDS_PACKAGE})", f"videos ({_NEEDS_PACKAGE})")
        return None
    if kind is None or kind not in kinds:
        left_out.count_other_file(entry.name)
        return None
    return source_of_kind(kind, Path(entry.path), Path(entry.path[len(root) :].lstrip(_SEPARATORS)))
