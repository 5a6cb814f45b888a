"""Labels faces on another machine: on Triton Inference Server, or on `maskcheck serve`.

    pip install "maskcheck[cpu]" "tritonclient[http]"
    python triton_client.py photo.jpg --url localhost:8000

`maskcheck-export triton DIR` writes the models for Triton; `maskcheck serve` has them under /v2. The model `maskcheck`
gets whole pictures. With `--box 161 165 347 373`, the face at that place is cut out here, and the model
`maskcheck_classifier` gets the crop alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import tritonclient.http as triton
from numpy.typing import NDArray

from maskcheck import MaskClassifier, load_image


def find_faces(client: Any, pictures: Sequence[bytes], headers: dict[str, str]) -> list[dict[str, Any]]:
    """Results of encoded pictures, as JSON of the schema maskcheck/1, in order."""
    tensor = triton.InferInput("picture", [len(pictures), 1], "BYTES")
    tensor.set_data_from_numpy(np.array(pictures, np.object_).reshape(-1, 1))
    wanted = [triton.InferRequestedOutput("result")]
    answer = client.infer("maskcheck", [tensor], outputs=wanted, headers=headers)
    return [json.loads(text) for text in answer.as_numpy("result").ravel()]


def classify(client: Any, crops: NDArray[np.uint8], headers: dict[str, str]) -> NDArray[np.float32]:
    """Probabilities (N, C) of the labels of face crops, uint8 (N, S, S, 3), RGB."""
    tensor = triton.InferInput("faces", list(crops.shape), "UINT8")
    tensor.set_data_from_numpy(crops)
    answer = client.infer("maskcheck_classifier", [tensor], headers=headers)
    return np.asarray(answer.as_numpy("probabilities"))


def find_and_print(client: Any, paths: Sequence[Path], headers: dict[str, str]) -> None:
    """Send pictures, a request each, and print their faces."""
    for path in paths:
        (result,) = find_faces(client, [path.read_bytes()], headers)
        if result["error"]:
            print(f"{path}: {result['error']['message']}")
        else:
            faces = [f"{face['label']} {face['confidence']:.2f} at {face['box']}" for face in result["faces"]]
            print(f"{path}: {'; '.join(faces) or 'no face'}")


def classify_and_print(client: Any, path: Path, boxes: list[list[float]], headers: dict[str, str]) -> None:
    """Cut faces out of a picture here, send the crops in one request, and print their labels."""
    cutter = MaskClassifier()
    crops = cutter.crop(load_image(path).pixels, np.array(boxes))
    for box, row in zip(boxes, classify(client, crops, headers), strict=True):
        print(f"{path}: {cutter.labels[row.argmax()]} {row.max():.2f} at {box}")


def main() -> int:
    """Print the faces of pictures."""
    parser = argparse.ArgumentParser(description="Labels faces on Triton Inference Server, or on `maskcheck serve`.")
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--url", default="localhost:8000", help="host and port of the server's HTTP")
    parser.add_argument("--token", help="token of `maskcheck serve`, if it has any")
    parser.add_argument(
        "--box", action="append", nargs=4, type=float, metavar=("X1", "Y1", "X2", "Y2"), help="a face of the picture"
    )
    options = parser.parse_args()
    headers = {"Authorization": f"Bearer {options.token}"} if options.token else {}
    with triton.InferenceServerClient(options.url) as client:
        started = perf_counter()
        try:
            if options.box:
                classify_and_print(client, options.pictures[0], options.box, headers)
            else:
                find_and_print(client, options.pictures, headers)
        except (OSError, triton.InferenceServerException) as error:
            print(f"{options.url}: {error}", file=sys.stderr)
            return 2
        print(f"{(perf_counter() - started) * 1000 / len(options.pictures):.0f} ms a picture", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
