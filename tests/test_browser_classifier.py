"""The classifier in the browser: it sees the same crops, and says the same, as in Python."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import browser_host
from maskcheck import MaskPipeline, load_image
from maskcheck.pictures.crops import crop_face

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
RUNTIME = os.environ.get("MASKCHECK_BROWSER_RUNTIME")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
needs_runtime = pytest.mark.skipif(
    RUNTIME is None,
    reason="MASKCHECK_BROWSER_RUNTIME is not set: `python examples/browser_host.py fetch DIR` makes such a folder",
)

BLANK = b"<!doctype html><title>blank</title><link rel=icon href=data:,>"
BOXES = [
    (156, 112, 356, 326),  # shrunk
    (200, 150, 260, 231),  # enlarged
    (0, 0, 512, 640),  # with a margin that is outside
    (450, 600, 512, 640),
    (10.5, 20.25, 71.5, 80),
    (100, 100, 101, 101),
]


@contextmanager
def serving(files: Mapping[str, bytes]) -> Iterator[str]:
    server = browser_host.make_server(files, 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextmanager
def opened(address: str) -> Iterator[Any]:
    """The page at an address; what it loads from elsewhere, and what breaks in it, fails the test."""
    loaded: list[str] = []
    troubles: list[str] = []
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, headless=True, chromium_sandbox=False)
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda request: loaded.append(request.url))
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(address)
        yield page
        browser.close()
    assert troubles == []
    assert [url for url in loaded if not url.startswith((address, "data:"))] == []


def test_crops_are_those_of_the_sdk(examples: Path) -> None:
    pixels = load_image(examples / "astronaut.jpg").pixels
    rgba = np.dstack([pixels[..., ::-1], np.full(pixels.shape[:2], 255, np.uint8)])
    crops = (browser_host.PAGE / "crops.js").read_bytes()
    cut = """async (boxes) => {
      const { cropFace } = await import(new URL("crops.js", document.baseURI));
      const data = new Uint8Array(await (await fetch("pixels.onnx")).arrayBuffer());
      return boxes.map((box) => [...cropFace({ data, width: 512, height: 640 }, box, { size: 128, margin: 0.2 })]);
    }"""
    files = {"/index.html": BLANK, "/crops.js": crops, "/pixels.onnx": rgba.tobytes()}
    with serving(files) as address, opened(address) as page:
        given = [np.array(crop, np.uint8).reshape(128, 128, 3) for crop in page.evaluate(cut, BOXES)]

    assert pixels.shape == (640, 512, 3)
    for box, crop in zip(BOXES, given, strict=True):
        expected = crop_face(pixels, np.array(box, np.float32), size=128, margin=0.2)
        assert np.abs(crop.astype(int) - expected).max() <= 1, box
        assert (crop != expected).mean() < 0.01, box  # none with OpenCV on x86


@needs_runtime
def test_the_model_says_in_the_browser_what_it_says_in_python(examples: Path) -> None:
    classify = """async ([picture, boxes]) => {
      const { loadClassifier, readPicture } = await import(new URL("classifier.js", document.baseURI));
      const pixels = await readPicture(await (await fetch(picture)).blob());
      const classifier = globalThis.classifier ??= await loadClassifier();
      return Promise.all(boxes.map((box) => classifier.classify(pixels, box)));
    }"""
    pictures = sorted(examples.glob("*.jpg"))
    served = {f"/{path.stem}.onnx": path.read_bytes() for path in pictures}
    differences = []
    with (
        MaskPipeline("haar", device="cpu") as pipeline,
        serving({**browser_host.files_of_page(Path(str(RUNTIME))), **served}) as address,
        opened(address) as page,
    ):
        for path in pictures:
            boxes = [face.box for face in pipeline(path)]
            expected = pipeline.classify(path, boxes)
            given = page.evaluate(classify, [f"{path.stem}.onnx", boxes])
            assert len(given) == len(expected) >= 1, path.name
            for here, there in zip(given, expected, strict=True):
                assert here["label"] == there.label
                shares = [here["probabilities"][label] - share for label, share in there.probabilities.items()]
                differences += [*map(abs, shares), abs(here["face"] - (there.face or 0))]
    assert max(differences) < 1e-3


@needs_runtime
def test_a_face_is_chosen_by_its_corners_or_drawn(examples: Path) -> None:
    with serving(browser_host.files_of_page(Path(str(RUNTIME)))) as address, opened(address) as page:
        state = page.get_by_role("status")
        playwright.expect(state).to_have_text("Choose a picture.", timeout=60_000)
        page.get_by_label("Picture", exact=True).set_input_files(str(examples / "astronaut_white_mask.jpg"))
        for name, value in zip(("left", "top", "right", "bottom"), (156, 112, 356, 326), strict=True):
            page.get_by_label(name).fill(str(value))
        page.get_by_role("button", name="Classify").click()
        playwright.expect(state).to_contain_text("with mask, in")

        canvas = page.locator("#picture").bounding_box()
        page.mouse.move(canvas["x"] + 150, canvas["y"] + 110)
        page.mouse.down()
        page.mouse.move(canvas["x"] + 350, canvas["y"] + 320)
        page.mouse.up()
        playwright.expect(page.get_by_label("right")).to_have_value("350")
        playwright.expect(state).to_contain_text("with mask, in")
