"""The model file: where it is looked for, and how it is fetched."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pooch
import requests

from maskcheck import ModelIntegrityError, ModelNotFound, SourceError

ADDRESS = "https://raw.githubusercontent.com/ShiqiYu/libfacedetection.train/master/onnx/yunet_n_dynamic.onnx"
"""Where the authors of YuNet publish the file."""

SHA256 = "104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12"
"""What it must be; another file is not kept."""

VARIABLE = "MASKCHECK_YUNET_MODEL"
"""Environment variable that names a model file."""

_SECONDS = 30  # without an answer of the server
_CHUNK = 1 << 16


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
            raise ModelNotFound(f"no YuNet model {given}, which {source} names", path=given)
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
    except ValueError as error:  # pooch's word for another hash
        raise SourceError(
            f"{address} is not the expected file (SHA-256 {SHA256}); nothing was kept: {error}", source=address
        ) from error
    return Path(fetched)


def _part(path: Path) -> Path:
    return path.with_suffix(".part")


def _download(address: str, output: Any, _pooch: pooch.Pooch | None) -> None:
    """Write the file to where pooch wants it, going on from what an earlier attempt left."""
    part = _part(cached_path())
    have = part.stat().st_size if part.is_file() else 0
    with requests.get(address, headers={"Range": f"bytes={have}-"}, stream=True, timeout=_SECONDS) as response:
        if response.status_code != requests.codes.range_not_satisfiable:  # else all of it is there
            response.raise_for_status()
            resumes = response.status_code == requests.codes.partial_content
            with part.open("ab" if resumes else "wb") as file:
                for chunk in response.iter_content(_CHUNK):
                    file.write(chunk)
    part.replace(output)
