"""Talks to `maskcheck serve`: labels pictures, fetches annotated copies, or streams frames and follows people.

    pip install httpx websockets
    python service_client.py photo.jpg another.jpg
    python service_client.py photo.jpg --annotated copy.jpg
    python service_client.py frame-*.jpg --stream

A token is read from the variable MASKCHECK_TOKEN.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import httpx
from websockets.sync.client import connect

Result: TypeAlias = dict[str, Any]
"""A result of the schema maskcheck/1."""


class ServiceClient:
    """A service at an address such as ``http://127.0.0.1:8765``."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def detect(self, picture: bytes) -> Result:
        """The faces of an encoded picture."""
        found: Result = json.loads(self._post(picture, accept="application/json"))
        return found

    def annotated(self, picture: bytes) -> bytes:
        """The picture with boxes and labels, as JPEG."""
        return self._post(picture, accept="image/jpeg")

    def stream(self, frames: Iterable[bytes]) -> Iterator[Result]:
        """The faces of encoded frames, in order; each person keeps a ``track_id``."""
        address = self._url.replace("http", "ws", 1) + "/v1/stream?track=true"
        with connect(address, additional_headers=self._headers) as socket:
            for frame in frames:
                socket.send(frame)
                yield json.loads(socket.recv())

    def _post(self, picture: bytes, *, accept: str) -> bytes:
        headers = {**self._headers, "Accept": accept, "Content-Type": "application/octet-stream"}
        answer = httpx.post(f"{self._url}/v1/detect", content=picture, headers=headers, timeout=60)
        if answer.is_error:  # application/problem+json says what was wrong
            raise RuntimeError(f"{answer.status_code}: {answer.json()['detail']}")
        return answer.content


def describe(result: Result) -> str:
    """A line about a result."""
    if result["error"]:
        return str(result["error"]["message"])
    faces = [f"#{face.get('track_id', '')} {face['label']} {face['confidence']:.2f}" for face in result["faces"]]
    return "; ".join(faces).replace("# ", "") or "no face"


def main() -> None:
    """Label the pictures of the command line."""
    parser = argparse.ArgumentParser(description="Labels pictures by maskcheck serve.")
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8765")
    parser.add_argument("--annotated", type=Path, help="file for the annotated copy of the first picture")
    parser.add_argument("--stream", action="store_true", help="send the pictures as the frames of one video")
    options = parser.parse_args()
    client = ServiceClient(options.url, os.environ.get("MASKCHECK_TOKEN"))
    contents = [path.read_bytes() for path in options.pictures]
    results = client.stream(contents) if options.stream else map(client.detect, contents)
    for path, result in zip(options.pictures, results, strict=True):
        print(f"{path}: {describe(result)}")
    if options.annotated:
        options.annotated.write_bytes(client.annotated(contents[0]))


if __name__ == "__main__":
    main()
