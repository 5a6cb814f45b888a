"""Draw the picture strip of README: frames of the demo, followed and labelled.

pip install "maskcheck[video]" maskcheck-centerface
python examples/make_video_strip.py .github/images/video.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from make_video import make_scene, render
from maskcheck import Frame, MaskPipeline

TIMES = (3.0, 5.2, 7.45, 9.1)  # seconds
HEIGHT, GAP = 300, 6  # pixels, of a picture and between two
CROP = 0.08  # of the width, that is left out on each side


def main() -> None:
    """Render the demo, follow its faces, and put some frames side by side."""
    parser = argparse.ArgumentParser(description="Draw frames of the demo in a row, annotated.")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--detector", default="centerface")
    arguments = parser.parse_args()

    scene = make_scene("demo")
    frames = (Frame(frame.image, "demo", index, frame.time) for index, frame in enumerate(render(scene)))
    wanted = {round(time * scene.fps) for time in TIMES}
    pictures = []
    with MaskPipeline(arguments.detector) as pipeline:
        for result in pipeline.track(frames, keep_images=True):
            if result.frame in wanted and result.image is not None:
                side = round(CROP * scene.width)
                part = result.draw(result.image)[:, side:-side]
                small = cv2.resize(
                    part, (HEIGHT * part.shape[1] // part.shape[0], HEIGHT), interpolation=cv2.INTER_AREA
                )
                cv2.putText(small, f"{result.time:.1f} s", (8, HEIGHT - 10), 0, 0.6, (40, 40, 40), 3, cv2.LINE_AA)
                cv2.putText(small, f"{result.time:.1f} s", (8, HEIGHT - 10), 0, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
                pictures += [small, np.full((HEIGHT, GAP, 3), 255, np.uint8)]
    cv2.imwrite(str(arguments.picture), np.hstack(pictures[:-1]), [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main()
