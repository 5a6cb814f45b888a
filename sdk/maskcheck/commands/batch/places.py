"""Files on this machine and in object stores, by their address."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from maskcheck.commands.detect.result_files.parquet_writer import import_pyarrow
from maskcheck.commands.detect.result_files.safe_files import write_whole
from maskcheck.errors import ImageError, MaskCheckError, PackageNotInstalled, SourceError
from maskcheck.pictures.decoding.files import read_open_file, read_path
from maskcheck.pictures.limits import DecodingLimits
from maskcheck.sources import expand_home
from maskcheck.sources.addresses import without_secrets

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_MAGIC = re.compile(r"[*?\[]")
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"})
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}\.part")


def is_remote(address: str) -> bool:
    """Whether it is an address such as ``s3://bucket/key``, and not a path or ``file://`` of this machine."""
    found = _SCHEME.match(address)
    return found is not None and found[1].lower() != "file"


def local_path(address: str) -> str:
    """The absolute path of an address of this machine; a leading ``~`` is the home folder."""
    if _SCHEME.match(address):
        from urllib.parse import unquote, urlsplit
        from urllib.request import url2pathname

        parts = urlsplit(address)
        return os.path.abspath(url2pathname(unquote(parts.path)))  # noqa: PTH100  Path's follows links
    return os.path.abspath(expand_home(address))  # noqa: PTH100


def shown(address: str) -> str:
    """An address without a password and without the options behind ``?``, as it stands in results."""
    found = _SCHEME.match(address)
    if found is None:
        return address
    authority, slash, rest = address[found.end() :].partition("?")[0].partition("/")
    return f"{found[0]}{authority.rpartition('@')[2]}{slash}{rest}"


class Places:
    """The file systems of some addresses. It can be pickled; each process opens them anew.

    What pyarrow knows is opened by it (``s3://``, ``gs://``, ``hdfs://``, ``abfs://``), everything else by fsspec.
    Keys, regions and the like come from the environment, or stand in an address that the user gave:
    ``s3://bucket/folder?region=eu-west-1&endpoint_override=host:9000``. The options of one address hold for all files
    of its bucket, and are written nowhere.

    Args:
        addresses: Those that the user gave.
    """

    def __init__(self, addresses: Iterable[str]) -> None:
        self._roots: dict[str, str] = {}
        for address in filter(is_remote, addresses):
            root = _root(shown(address))
            _, question, options = address.partition("?")
            written = _SCHEME.match(address)
            assert written is not None
            authority = address[written.end() :].partition("?")[0].partition("/")[0]
            if question or root not in self._roots:
                self._roots[root] = f"{written[0]}{authority}{question}{options}"
        self._open: dict[str, tuple[Any, str]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}

    def open(self, address: str) -> tuple[Any, str]:
        """The pyarrow file system of an address, as :func:`shown` gives it, and the path in it.

        Raises:
            SourceError: There is no such file system, or it cannot be reached.
            PackageNotInstalled: A package is missing.
        """
        if not is_remote(address):
            import_pyarrow()
            from pyarrow.fs import LocalFileSystem

            return LocalFileSystem(), local_path(address)
        root = _root(address)
        if root not in self._open:
            self._open[root] = _open_root(self._roots.get(root, root), address)
        system, path = self._open[root]
        rest = address[len(root) :].lstrip("/")
        return system, f"{path.rstrip('/')}/{rest}" if path else rest

    def read(self, address: str, limits: DecodingLimits) -> bytes:
        """The content of a file.

        Raises:
            ImageError: It is not there, or cannot be read.
            ImageTooLarge: It has too many bytes.
        """
        if not is_remote(address):
            return read_path(local_path(address), limits, lambda _: True)
        try:
            system, path = self.open(address)
            with system.open_input_stream(path) as file:
                return read_open_file(file, limits, address)
        except MaskCheckError:
            raise
        except FileNotFoundError:
            raise ImageError(f"no such file: {address}", source=address) from None
        except Exception as error:  # of whatever package reaches the store
            raise ImageError(f"cannot read {address}: {without_secrets(str(error))}", source=address) from error

    def find(self, address: str, suffixes: Sequence[str]) -> Iterator[str]:
        """The files with some endings that an address names, by name: a file, a folder with all below it, a pattern.

        A file that is named needs no such ending. Hidden files, and folders that begin with ``.`` or ``_``, are left
        out.

        Raises:
            SourceError: There is none, or the place cannot be listed.
        """
        system, path = self.open(address)
        from pyarrow.fs import FileSelector, FileType

        folder, pattern = path, None
        try:
            if _MAGIC.search(path):
                folder, pattern = _split_pattern(path)
            about = system.get_file_info(folder)
            if about.type == FileType.File and pattern is None:
                yield self._address(address, path)
                return
            entries = (
                [] if about.type == FileType.NotFound else system.get_file_info(FileSelector(folder, recursive=True))
            )
            names = sorted(entry.path for entry in entries if entry.type == FileType.File)
        except MaskCheckError:
            raise
        except Exception as error:
            raise SourceError(f"cannot list {address}: {without_secrets(str(error))}", source=address) from error
        found = False
        for name in names:
            below = name[len(folder) :].lstrip("/")
            if any(part.startswith((".", "_")) for part in below.split("/")):
                continue
            if pattern.fullmatch(name) if pattern is not None else name.lower().endswith(tuple(suffixes)):
                found = True
                yield self._address(address, name)
        if not found:
            wanted = "file matches" if pattern is not None else f"file with the ending {', '.join(suffixes)} in"
            raise SourceError(f"no {wanted} {address}", source=address)

    def _address(self, like: str, name: str) -> str:
        if not is_remote(like):
            return name
        root = _root(like)
        return f"{root}/{name[len(self._open[root][1].rstrip('/')) :].lstrip('/')}"

    def folder(self, address: str) -> Folder:
        """A folder for results; it is made if it does not exist.

        Raises:
            SourceError, PackageNotInstalled: As :meth:`open`.
            OSError: It cannot be made.
        """
        if not is_remote(address):  # an object store has no folders
            address = local_path(address)  # processes elsewhere have other current folders
            Path(address).mkdir(parents=True, exist_ok=True)
        self.open(shown(address))
        return Folder(self, shown(address))


class Folder:
    """A folder for results: files in it are there whole, or not at all.

    Args:
        places: Opens it.
        address: The folder.
    """

    def __init__(self, places: Places, address: str) -> None:
        self._places = places
        self.address = address
        self.local = None if is_remote(address) else Path(local_path(address))

    def read(self, name: str) -> bytes | None:
        """The content of a file; None if it is not there."""
        system, path = self._at(name)
        try:
            with system.open_input_stream(path) as file:
                return bytes(file.read())
        except FileNotFoundError:
            return None

    def open(self, name: str) -> Any:
        """A file, open for reading from any place, as pyarrow has it."""
        system, path = self._at(name)
        return system.open_input_file(path)

    def write(self, name: str, data: bytes) -> None:
        """Write a file at once. An object store shows it when all of it is there; elsewhere, it gets its name then.

        Raises:
            OSError: It cannot be written.
        """
        if self.local is not None:
            target = self.local / name
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, data, temporary=target.with_name(f".{target.name}.{uuid4().hex}.part"))
            return
        system, path = self._at(name)
        whole = self.address.partition("://")[0].lower() in _OBJECT_STORES
        written = path if whole else f"{path}.{uuid4().hex}.part"
        with system.open_output_stream(written) as file:
            file.write(data)
        if not whole:
            system.move(written, path)

    def names(self, folder: str = "") -> list[str]:
        """The names of its files, in order; of those in a folder in it."""
        from pyarrow.fs import FileSelector, FileType

        system, path = self._at(folder)
        entries = system.get_file_info(FileSelector(path, allow_not_found=True))
        return sorted(entry.base_name for entry in entries if entry.type == FileType.File)

    def remove(self, name: str) -> None:
        """Remove a file."""
        system, path = self._at(name)
        system.delete_file(path)

    def remove_temporary(self) -> None:
        """Remove what runs that were killed have left half written."""
        if self.local is not None:
            for path in (*self.local.iterdir(), *(self.local / "_job").glob("*")):
                if _TEMPORARY.fullmatch(path.name):
                    path.unlink(missing_ok=True)

    def _at(self, name: str) -> tuple[Any, str]:
        system, path = self._places.open(self.address)
        return system, f"{path.rstrip('/')}/{name}" if name else path


def _root(address: str) -> str:
    """``scheme://authority`` of an address."""
    found = _SCHEME.match(address)
    assert found is not None
    return found[0] + address[found.end() :].partition("/")[0]


def _open_root(root: str, address: str) -> tuple[Any, str]:
    pyarrow = import_pyarrow()
    from pyarrow.fs import FileSystem, FSSpecHandler, PyFileSystem

    try:
        return tuple(FileSystem.from_uri(root))
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError):  # a scheme that it does not know
        pass
    except (pyarrow.ArrowException, OSError) as error:
        raise SourceError(f"cannot open {address}: {without_secrets(str(error))}", source=address) from error
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise PackageNotInstalled(
            f'{address} needs the package fsspec ({error}); install it: pip install "maskcheck[ray]"', package="fsspec"
        ) from error
    try:
        system, path = url_to_fs(root)
    except ImportError as error:
        raise PackageNotInstalled(f"{address}: {error}", package="fsspec") from error
    except Exception as error:  # ValueError: it does not know the scheme either; others of the package that reaches it
        raise SourceError(f"cannot open {address}: {without_secrets(str(error))}", source=address) from error
    return PyFileSystem(FSSpecHandler(system)), path


def _split_pattern(path: str) -> tuple[str, re.Pattern[str]]:
    """The folder above the first wildcard, and what matches a whole path."""
    try:
        from fsspec.utils import glob_translate
    except ImportError as error:
        raise PackageNotInstalled(
            f'patterns of addresses need the package fsspec ({error}); install it: pip install "maskcheck[ray]"',
            package="fsspec",
        ) from error
    first = _MAGIC.search(path)
    assert first is not None
    return path[: first.start()].rpartition("/")[0] or "/", re.compile(glob_translate(path))
