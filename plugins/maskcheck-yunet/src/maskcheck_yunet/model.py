"""The model file: where it is looked for, and how it is fetched."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from time import monotonic
from typing import Any

import pooch
import requests

from maskcheck.plugins import ModelIntegrityError, ModelNotFound, SourceError

_COMMIT = "dca340aa082c71081a68d17db8e58b33a58a914b"
ADDRESS = f"https://raw.githubusercontent.com/ShiqiYu/libfacedetection.train/{_COMMIT}/onnx/yunet_n_dynamic.onnx"
"""Where the authors of YuNet publish the file, at a commit, which does not change as a branch does."""

SHA256 = "104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12"
"""What it must be; another file is not kept."""

SIZE = 322_906
"""Its length, in bytes; no more are fetched."""

VARIABLE = "MASKCHECK_YUNET_MODEL"
"""Environment variable that names a model file."""

_SILENCE = 30.0  # seconds without an answer of the server
_PATIENCE = 300.0  # seconds for all of it, however often the server sends a byte
_CHUNK = 16  # bytes, so few because a slow server is given up only between two of them


def cached_path() -> Path:
    """Where a fetched file lies: in the user's cache directory."""
    return Path(pooch.os_cache("maskcheck")) / "yunet_n_dynamic.onnx"


def find_model(model: str) -> Path:
    """Path of the model file: the one given, else that of ``MASKCHECK_YUNET_MODEL``, else the fetched one.

    Args:
        model: A path; empty for none.

    Raises:
        ModelNotFound: There is no such file.
        ModelIntegrityError: The fetched file was changed since.
    """
    given = model or os.environ.get(VARIABLE, "")
    if given:
        if not Path(given).is_file():
            source = "option model" if model else VARIABLE
            raise ModelNotFound(
                f"no YuNet model {given}, which {source} names; correct it, or fetch the file with"
                " `maskcheck-yunet fetch`",
                path=given,
            )
        return Path(given)
    path = cached_path()
    if not path.is_file():
        raise ModelNotFound(
            f"YuNet has no model file yet; fetch it once with `maskcheck-yunet fetch`, or name one by the option model"
            f" or by {VARIABLE}",
            path=str(path),
        )
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    if sha256 != SHA256:
        raise ModelIntegrityError(
            f"{path} has SHA-256 {sha256}, expected {SHA256}; fetch it again with `maskcheck-yunet fetch`",
            path=str(path),
        )
    return path


def fetch_model(address: str = ADDRESS) -> Path:
    """Fetch the model into the user's cache directory; where a fetch was cut off, the next one goes on.

    Args:
        address: Where from.

    Returns:
        Its path. A file that is there and right is not fetched again.

    Raises:
        SourceError: The server does not answer, or not with the file.
    """
    path = cached_path()
    try:
        fetched = pooch.retrieve(
            address, known_hash=f"sha256:{SHA256}", fname=path.name, path=path.parent, downloader=_download
        )
    except (requests.RequestException, OSError) as error:
        part = _part(path)
        kept = f"; {part.stat().st_size} bytes are kept, run it again to go on" if part.is_file() else ""
        raise SourceError(f"cannot fetch {address}: {error}{kept}", source=address) from error
    except ValueError as error:  # pooch's word for another hash, and ours for too many bytes
        raise SourceError(
            f"{address} is not the expected file (SHA-256 {SHA256}); nothing was kept: {error}", source=address
        ) from error
    return Path(fetched)


def _part(path: Path) -> Path:
    return path.with_suffix(".part")


def _download(address: str, output: Any, _pooch: pooch.Pooch | None) -> None:
    """Write the file to where pooch wants it, going on from what an earlier attempt left."""
    part = _part(cached_path())
    deadline = monotonic() + _PATIENCE
    with os.fdopen(_open_part(part), "r+b") as file:
        have = file.seek(0, os.SEEK_END)
        if have > SIZE:  # of another file
            have = file.truncate(0)
        if have < SIZE:
            request = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"}
            with requests.get(address, headers=request, stream=True, timeout=_SILENCE) as response:
                if response.status_code == requests.codes.range_not_satisfiable:
                    file.truncate(0)  # what was kept is of another file
                response.raise_for_status()
                if response.status_code != requests.codes.partial_content:
                    have = file.truncate(0)
                file.seek(have)
                for chunk in response.iter_content(_CHUNK):
                    have += len(chunk)
                    if have > SIZE:
                        file.truncate(0)
                        raise ValueError(f"it is larger than the {SIZE} bytes expected")
                    file.write(chunk)
                    if monotonic() > deadline:
                        raise TimeoutError(f"not all of it came within {_PATIENCE:g} seconds")
    part.replace(output)


def _open_part(part: Path) -> int:
    """Open what there is of the file, or begin it; a link that somebody put there is not followed.

    Raises:
        OSError: It is a link, or anything else that is no file.
    """
    if part.is_symlink():  # for systems without O_NOFOLLOW
        raise OSError(errno.ELOOP, "a link lies where the file is to be written; remove it", str(part))
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(part, flags | getattr(os, "O_BINARY", 0), 0o644)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "expected a regular file where the file is to be written", str(part))
    return descriptor
