"""Frames a second of the page of `maskcheck serve`, from a camera to boxes, in headless Chromium.

    pip install playwright && maskcheck serve --detector centerface --detector-option preset=fast
    python examples/measure_page.py http://127.0.0.1:8765/ --faces 1

The camera is a film of the sample pictures: 640 x 480, 30 frames a second, one or two faces that move. Answers of the
service are counted for ten seconds, after three to warm up. Chromium runs on the same machine as the service, usually.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import sync_playwright

from maskcheck import load_image

PEOPLE = ("astronaut_white_mask.jpg", "grace_hopper.jpg")
SIZE = 640, 480
SWAY = 40  # pixels
WARM_UP, SECONDS = 3, 10


def write_film(path: Path, faces: int) -> None:
    """Write what the camera shows, as one JPEG after the other: people side by side, who sway."""
    width, height = SIZE[0] // faces, SIZE[1]
    people = []
    for name in PEOPLE[:faces]:
        pixels = load_image(Path(__file__).with_name(name)).pixels
        scale = max((width + SWAY) / pixels.shape[1], (height + SWAY) / pixels.shape[0])
        people.append(cv2.resize(pixels, None, fx=scale, fy=scale))
    with path.open("wb") as film:
        for step in range(120):
            left = round(SWAY / 2 * (1 + np.sin(step * np.pi / 60)))
            top = round(SWAY / 2 * (1 + np.cos(step * np.pi / 60)))
            frame = np.hstack([each[top : top + height, left : left + width] for each in people])
            film.write(cv2.imencode(".jpg", frame)[1].tobytes())


def measure(address: str, film: Path, screenshot: Path | None) -> tuple[float, str]:
    """Answers a second, and what the page says of its speed."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("chromium was not found: install it")
    camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    answers: list[object] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            chromium_sandbox=False,
            args=[*camera, f"--use-file-for-fake-video-capture={film}"],
        )
        page = browser.new_context(permissions=["camera"], viewport={"width": 1280, "height": 900}).new_page()
        page.on("websocket", lambda socket: socket.on("framereceived", lambda answer: answers.append(answer)))
        page.goto(address)
        page.get_by_role("button", name="Start camera").click()
        page.locator("#people li").first.wait_for(timeout=60_000)
        page.wait_for_timeout(1000 * WARM_UP)
        answers.clear()
        page.wait_for_timeout(1000 * SECONDS)
        rate, said = len(answers) / SECONDS, page.locator("#speed").inner_text()
        if screenshot:
            page.screenshot(path=screenshot, full_page=True)
        browser.close()
    return rate, said


def main() -> None:
    """Read the command line, and print a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="of the service")
    parser.add_argument("--faces", type=int, choices=(1, 2), default=1)
    parser.add_argument("--screenshot", type=Path, help="also write a picture of the page, PNG or JPEG")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "camera.mjpeg"
        write_film(film, chosen.faces)
        rate, said = measure(chosen.address, film, chosen.screenshot)
    print(f"{rate:.1f} frames a second; the page says {said}")


if __name__ == "__main__":
    main()
