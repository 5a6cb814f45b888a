"""Writes golden.json: what the published model finds in examples/astronaut.jpg, by preset.

In the root of the repository:

    MASKCHECK_YUNET_MODEL=yunet_n_dynamic.onnx python plugins/maskcheck-yunet/tests/golden.py
"""

from __future__ import annotations

import json
from pathlib import Path

from maskcheck import load_image
from maskcheck.plugins import SessionConfig
from maskcheck_yunet import YuNetDetector
from maskcheck_yunet.detector import PRESETS

PORTRAIT = Path(__file__).parents[3] / "examples" / "astronaut.jpg"


def main() -> None:
    """Write the file beside this one."""
    golden = {}
    for preset in PRESETS:
        detections = YuNetDetector(preset, session=SessionConfig("cpu", threads=1)).detect(load_image(PORTRAIT).pixels)
        sure = detections[detections.scores >= 0.5]
        assert sure.landmarks is not None
        golden[preset] = {
            "boxes": sure.boxes.round(2).tolist(),
            "scores": sure.scores.round(4).tolist(),
            "landmarks": sure.landmarks.round(2).tolist(),
        }
    content = json.dumps(golden, indent=1)
    Path(__file__).with_name("golden.json").write_text(content + "\n")


if __name__ == "__main__":
    main()
