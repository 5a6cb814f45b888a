"""A client of the service, with nothing but httpx and websockets: a file, an annotated copy, a stream.

maskcheck serve &
python examples/service_client.py examples/group.jpg --annotated group-faces.jpg
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect


class MaskCheckClient:
    """Sends pictures to the service.

    Args:
        url: Its address.
        token: One of its tokens, if it asks for one.
    """

    def __init__(self, url: str = "http://127.0.0.1:8765", token: str | None = None) -> None:
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=url, headers=self._headers, timeout=60)
        self._stream_url = url.replace("http", "ws", 1) + "/v1/stream"

    def detect(self, picture: bytes) -> dict[str, Any]:
        """The ``maskcheck/1`` object of an encoded picture."""
        result: dict[str, Any] = json.loads(self._post(picture, "application/json"))
        return result

    def annotate(self, picture: bytes) -> bytes:
        """The picture as JPEG, with its faces drawn on it."""
        return self._post(picture, "image/jpeg")

    def stream(self, frames: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        """A ``maskcheck/1`` object for each encoded frame; a face has the same ``track_id`` in all of them."""
        with connect(self._stream_url, additional_headers=self._headers, compression=None) as connection:
            for frame in frames:
                connection.send(frame)
                yield json.loads(connection.recv())

    def _post(self, picture: bytes, accept: str) -> bytes:
        headers = {"Content-Type": "application/octet-stream", "Accept": accept}
        response = self._http.post("/v1/detect", content=picture, headers=headers)
        if response.is_error:  # the service says in words what is wrong; after 429 and 503, try again later
            raise RuntimeError(f"{response.status_code}: {response.json()['detail']}")
        return response.content


def main() -> None:
    """Print a line for each picture; write an annotated copy of the first one."""
    parser = argparse.ArgumentParser(description="Send pictures to `maskcheck serve`.")
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8765")
    parser.add_argument("--annotated", type=Path, help="write the first picture there, with its faces")
    parser.add_argument("--stream", action="store_true", help="send them as the frames of one stream")
    options = parser.parse_args()
    client = MaskCheckClient(options.url, os.environ.get("MASKCHECK_TOKEN"))
    contents = [path.read_bytes() for path in options.pictures]
    try:
        for result in client.stream(contents) if options.stream else map(client.detect, contents):
            print(json.dumps(result))
        if options.annotated is not None:
            options.annotated.write_bytes(client.annotate(contents[0]))
    except (RuntimeError, OSError, httpx.HTTPError) as error:
        sys.exit(f"service_client: {error}")


if __name__ == "__main__":
    main()
