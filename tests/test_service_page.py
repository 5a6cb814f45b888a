"""The page of the service in a real browser, with a camera of drawn pictures."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from waiting import wait_until

from maskcheck import MaskPipeline, load_image
from maskcheck.pictures.drawing.faces import caption_of, colour_of

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("fastapi", reason="the service needs `pip install maskcheck[serve]`")
pytest.importorskip("uvicorn", reason="the service needs `pip install maskcheck[serve]`")

from running_service import running  # noqa: E402 # needs the packages above
from scripted_service import ScriptedService, face, serving  # noqa: E402 # needs the packages above

from maskcheck.service.settings import ServiceSettings  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

EXAMPLES = Path(__file__).parents[1] / "examples"
PAGE = Path(__file__).parents[1] / "sdk" / "maskcheck" / "service" / "page"
EVIL = "<img src=x onerror=alert(1)>.png"
TOKEN = "aB3/+=~."


@pytest.fixture(scope="module")
def camera_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the camera shows: two people, one with a mask, that sway a little; one JPEG after the other."""
    pictures = [decoded((EXAMPLES / name).read_bytes()) for name in ("astronaut_white_mask.jpg", "astronaut.jpg")]
    both = np.hstack([cv2.resize(each, (480, 480)) for each in pictures])
    file = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    with file.open("wb") as out:
        for step in range(60):
            frame = np.roll(both, round(8 * np.sin(step * np.pi / 30)), axis=1)
            out.write(cv2.imencode(".jpg", cv2.resize(frame, (640, 320)))[1].tobytes())
    return file


@pytest.fixture(scope="module")
def browser(camera_file: Path) -> Iterator[Any]:
    arguments = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={camera_file}",
    ]
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(
            executable_path=CHROMIUM, headless=True, chromium_sandbox=False, args=arguments
        )
        yield opened
        opened.close()


class Visit:
    """The page, opened: what it loads from elsewhere, and what breaks in it."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.address = address
        self.context = browser.new_context(permissions=["camera"], **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.loaded: list[str] = []
        self.troubles: list[str] = []
        self.page.on("request", lambda request: self.loaded.append(request.url))
        self.page.on("websocket", lambda socket: self.loaded.append(socket.url))
        self.page.on("console", lambda message: self.troubles.append(message.text))  # also what the policy forbids
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("dialog", lambda dialog: self.troubles.append(dialog.message))

    def open(self) -> Any:
        self.page.goto(self.address)
        return self.page

    def foreign(self) -> list[str]:
        ours = self.address.removeprefix("http")
        return [url for url in self.loaded if not url.startswith((f"http{ours}", f"ws{ours}", f"blob:http{ours}"))]

    def faults(self) -> list[str]:
        """What broke; browsers also report refused requests and lost connections, which the page speaks of itself."""
        return [text for text in self.troubles if not text.startswith(("Failed to load resource", "WebSocket conn"))]


@pytest.fixture
def script() -> ScriptedService:
    return ScriptedService()


@pytest.fixture
def visit(browser: Any, script: ScriptedService) -> Iterator[Visit]:
    with serving(script.app()) as address:
        visit = Visit(browser, address, viewport={"width": 1280, "height": 900})
        yield visit
        visit.context.close()
        script.answers.set()
    assert visit.foreign() == []
    assert visit.faults() == []


@pytest.fixture
def page(visit: Visit) -> Any:
    return visit.open()


def expect(locator: Any) -> Any:
    return playwright.expect(locator)


def choose(page: Any, *names: str) -> None:
    page.get_by_label("Choose pictures").set_input_files([str(EXAMPLES / name) for name in names])


def saved(page: Any, button: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    content: bytes = Path(download.value.path()).read_bytes()
    return content


def decoded(data: bytes) -> NDArray[np.uint8]:
    """uint8 (H, W, 3), BGR."""
    return load_image(data).pixels


def pixel(page: Any, canvas: str, x: float, y: float) -> list[int]:
    """Colour of a canvas, at shares of its width and height: red, green, blue, alpha."""
    colour: list[int] = page.locator(canvas).evaluate(
        """(canvas, [x, y]) => {
          const copy = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
          copy.drawImage(canvas, -Math.round(x * canvas.width), -Math.round(y * canvas.height));
          return [...copy.getImageData(0, 0, 1, 1).data];
        }""",
        [x, y],
    )
    return colour


# The real service


@pytest.fixture(scope="module")
def pipeline() -> Iterator[MaskPipeline]:
    with MaskPipeline("haar", device="cpu") as opened:
        yield opened


@pytest.fixture(scope="module")
def real_address(pipeline: MaskPipeline) -> Iterator[str]:
    with running(pipeline) as service:
        yield f"{service.url}/"


@pytest.fixture
def real(browser: Any, real_address: str) -> Iterator[Any]:
    visit = Visit(browser, real_address, viewport={"width": 1280, "height": 900})
    yield visit.open()
    visit.context.close()
    assert visit.foreign() == []
    assert visit.troubles == []


def test_pictures_are_labelled_as_the_pipeline_labels_them(real: Any, pipeline: MaskPipeline) -> None:
    choose(real, "group.jpg", "astronaut.jpg")
    results = [pipeline(EXAMPLES / name) for name in ("group.jpg", "astronaut.jpg")]

    total = sum(map(len, results))
    expect(real.locator("#progress")).to_contain_text(f"2 pictures done, {total} faces")
    lines = [json.loads(line) for line in saved(real, "Save all as JSON lines").splitlines()]
    assert [line["source"] for line in lines] == ["group.jpg", "astronaut.jpg"]
    assert [line["faces"] for line in lines] == [result.to_dict()["faces"] for result in results]
    expect(real.locator("#about")).to_contain_text("detector haar on CPU")


def test_faces_of_a_camera_are_marked_and_numbered_and_counted(real: Any) -> None:
    real.get_by_role("button", name="Start camera").click()

    expect(real.locator("#people li")).to_have_count(2)
    people = real.locator("#people li").all_inner_texts()
    assert {text.split()[0] for text in people} <= {f"#{number}" for number in range(1, 10)}
    assert {real.locator("#people .label").nth(place).inner_text() for place in (0, 1)} == {"mask", "no mask"}
    expect(real.locator("#speed")).to_have_text(re.compile(r"[\d.]+ frames a second, \d+ ms delay"))
    real.get_by_role("button", name="Stop camera").click()
    expect(real.locator("#stage")).to_be_hidden()
    assert real.locator("#video").evaluate("video => video.srcObject") is None


def test_a_service_with_tokens_takes_the_one_that_was_given(browser: Any) -> None:
    settings = ServiceSettings(tokens=("other", TOKEN), grace=1)
    with MaskPipeline("haar", device="cpu") as pipeline, running(pipeline, settings) as service:
        visit = Visit(browser, f"{service.url}/")
        page = visit.open()
        expect(page.get_by_label("Token")).to_be_visible()
        choose(page, "astronaut.jpg")
        for token, words in (("über", "only letters without accents"), ("wrong", "did not accept the token")):
            page.get_by_label("Token").fill(token)
            page.get_by_role("button", name="Use token").click()
            expect(page.get_by_role("alert")).to_contain_text(words)
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_label("Token").press("Enter")
        expect(page.locator(".picture .summary")).to_have_text("1 face: 1 no mask")
        page.get_by_role("button", name="Start camera").click()
        expect(page.locator("#people li")).to_have_count(2)
        visit.context.close()
    assert visit.foreign() == visit.faults() == []


def test_headers_let_the_page_load_its_own_files_only_and_nobody_frame_it(real_address: str) -> None:
    for path in ("", "static/page.js", "static/page.css", "static/icon.svg"):
        answer = httpx.get(f"{real_address}{path}")
        assert answer.status_code == 200
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"] == "'none'"
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "camera=(self)" in answer.headers["permissions-policy"]
        again = httpx.get(f"{real_address}{path}", headers={"If-None-Match": f'"other", W/{answer.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["static/page.html", "static/..%2Fapp.py", "static/../settings.py", "static/"])
def test_no_other_file_is_served(real_address: str, path: str) -> None:
    assert httpx.get(f"{real_address}{path}").status_code == 404


def test_the_page_has_no_script_or_style_of_its_own_and_names_no_other_host() -> None:
    text = (PAGE / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|javascript:", text)
    for file in PAGE.iterdir():
        addresses = re.findall(r"https?://[\w.]+", file.read_text(encoding="utf-8"))
        assert set(addresses) <= {"http://www.w3.org", "http://localhost"}, file  # names, which nothing loads


# Pictures


def test_boxes_lie_over_the_picture_in_the_colours_of_the_sdk(page: Any) -> None:
    choose(page, "group.jpg")  # 1110 x 504 pixels; the boxes are those of the script

    expect(page.locator("#progress")).to_have_text("1 picture done, 2 faces: 1 mask, 1 no mask")
    expect(page.locator(".picture .summary")).to_have_text("2 faces: 1 mask, 1 no mask")
    assert page.locator("#counts").inner_text().split("\n") == ["mask", "1", "no mask", "1"]
    assert page.locator(".picture img").get_attribute("alt") == "group.jpg: 2 faces: 1 mask, 1 no mask"
    picture, canvas = page.locator(".picture img").bounding_box(), page.locator(".picture canvas").bounding_box()
    assert canvas == pytest.approx(picture, abs=1)
    for x, y, label in ((10, 85, "with_mask"), (290, 100, "without_mask")):
        blue, green, red = colour_of(label)
        assert pixel(page, ".picture canvas", x / 1110, y / 504) == [red, green, blue, 255]
    assert pixel(page, ".picture canvas", 0.5, 0.9)[3] == 0


@pytest.mark.parametrize("label", ["with_mask", "without_mask", "mask_worn_incorrectly", "scarf_or_veil"])
def test_colours_and_names_of_labels_are_those_of_the_sdk(page: Any, label: str) -> None:
    # Playwright's code is not the page's, so the policy lets it load a module of the page.
    given = page.evaluate(
        """async (label) => {
          const { colourOf, captionOf } = await import(new URL("static/drawing.js", document.baseURI));
          return [colourOf(label), captionOf(label)];
        }""",
        label,
    )
    assert given == [list(colour_of(label))[::-1], caption_of(label)]


def test_the_annotated_picture_and_its_json_can_be_saved(page: Any) -> None:
    choose(page, "group.jpg")
    expect(page.locator("#progress")).to_contain_text("1 picture done")

    annotated = decoded(saved(page, "Save picture: group.jpg"))
    original = decoded((EXAMPLES / "group.jpg").read_bytes())
    assert annotated.shape == original.shape
    assert annotated[100, 10].astype(int) == pytest.approx(
        np.array(colour_of("with_mask")), abs=60
    )  # a thin line in a JPEG
    assert np.abs(annotated[300:].astype(int) - original[300:]).mean() < 3
    result = json.loads(saved(page, "Save JSON: group.jpg"))
    assert (result["schema"], result["source"], len(result["faces"])) == ("maskcheck/1", "group.jpg", 2)


def test_pictures_can_be_dropped_and_pasted(page: Any, script: ScriptedService) -> None:
    carry = """async ([kind, name, data]) => {
      const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
      const event = kind === "paste"
        ? new ClipboardEvent(kind, { clipboardData: transfer, bubbles: true, cancelable: true })
        : new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true });
      document.body.dispatchEvent(event);
      return event.defaultPrevented;
    }"""
    data = base64.b64encode((EXAMPLES / "astronaut.jpg").read_bytes()).decode()

    assert page.evaluate(carry, ["dragover", "a.jpg", data])
    assert page.locator("body.dropping").count() == 1
    assert page.evaluate(carry, ["drop", "a.jpg", data])
    assert page.locator("body.dropping").count() == 0
    assert page.evaluate(carry, ["paste", "", data])

    expect(page.locator("#progress")).to_contain_text("2 pictures done")
    assert page.locator(".picture h3").all_inner_texts() == ["a.jpg", "pasted picture"]
    assert script.types == ["image/jpeg"] * 2


def test_names_of_files_and_labels_are_shown_and_never_run(page: Any, script: ScriptedService, tmp_path: Path) -> None:
    script.faces = [face((10, 20, 110, 150), "<b onclick=alert(2)>", 0.9)]
    (tmp_path / EVIL).write_bytes((EXAMPLES / "astronaut.jpg").read_bytes())
    page.get_by_label("Choose pictures").set_input_files(str(tmp_path / EVIL))

    expect(page.locator(".picture .summary")).to_have_text("1 face: 1 <b onclick=alert(2)>")
    assert page.locator(".picture h3").inner_text() == EVIL
    assert page.locator(".picture img").count() == 1


def test_what_is_no_picture_says_so_and_the_others_go_on(page: Any, script: ScriptedService, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(20_000_001)
    names = ("notes.txt", "empty.jpg", "broken.jpg", "large.png")
    page.get_by_label("Choose pictures").set_input_files([*(str(tmp_path / name) for name in names)])
    choose(page, "astronaut.jpg")

    expect(page.locator("#progress")).to_contain_text("5 pictures done")
    texts = page.locator(".picture .summary").all_inner_texts()
    assert texts[0].startswith("This is not a picture.")
    assert texts[1] == "This file is empty."
    assert texts[2] == "Expected a picture, got something else; send a JPEG."
    assert "the service takes up to 20 MB" in texts[3]
    assert texts[4].startswith("2 faces")
    assert len(script.types) == 2  # what cannot be a picture was not sent
    page.get_by_role("button", name="Remove: broken.jpg").click()
    expect(page.locator("#progress")).to_contain_text("4 pictures done")
    page.get_by_role("button", name="Remove all").click()
    expect(page.locator("#results")).to_be_hidden()


def test_a_picture_that_the_browser_cannot_show_comes_annotated_from_the_service(page: Any, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "scan.tiff"), np.full((300, 400, 3), 90, np.uint8))
    page.get_by_label("Choose pictures").set_input_files(str(tmp_path / "scan.tiff"))

    expect(page.locator(".picture img")).to_have_js_property("naturalWidth", 400)
    assert decoded(saved(page, "Save picture")).shape == (300, 400, 3)


def test_a_busy_service_is_asked_again_when_it_said(page: Any, script: ScriptedService) -> None:
    script.refusals = [(429, {"Retry-After": "1"}), (503, {"Retry-After": "1"})]
    choose(page, "astronaut.jpg")

    expect(page.locator(".picture .summary")).to_have_text("The service is busy. The page tries again in 1 second.")
    expect(page.locator(".picture .summary")).to_have_text("2 faces: 1 mask, 1 no mask")


def test_what_took_too_long_can_be_tried_again(page: Any, script: ScriptedService) -> None:
    script.refusals = [(504, {})]
    choose(page, "astronaut.jpg")

    expect(page.locator(".picture .summary")).to_have_text("It takes too long; send a smaller picture.")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".picture .summary")).to_have_text("2 faces: 1 mask, 1 no mask")


def test_a_service_that_is_starting_is_waited_for(visit: Visit, script: ScriptedService) -> None:
    script.ready = False
    page = visit.open()
    expect(page.get_by_role("alert")).to_contain_text("The service is starting or closing.")
    script.ready = True

    expect(page.get_by_role("alert")).to_be_empty()
    expect(page.locator("#about")).to_contain_text("detector scripted on CPU")


# Tokens


@pytest.mark.parametrize("script", [ScriptedService(TOKEN)])
def test_a_token_is_asked_for_sent_and_kept_nowhere(page: Any, script: ScriptedService) -> None:
    field = page.get_by_label("Token")
    choose(page, "astronaut.jpg")
    expect(page.locator(".picture .summary")).to_have_text("waiting for the token")
    field.fill("wrong")
    page.get_by_role("button", name="Use token").click()
    expect(page.get_by_role("alert")).to_contain_text("The service did not accept the token.")
    field.fill(TOKEN)
    field.press("Enter")

    expect(page.locator(".picture .summary")).to_have_text("2 faces: 1 mask, 1 no mask")
    expect(page.get_by_role("alert")).to_be_empty()
    assert script.given == [None, "wrong", TOKEN]
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    assert field.input_value() == ""
    page.get_by_role("button", name="Start camera").click()
    expect(page.locator("#people li")).to_have_count(2)
    encoded = base64.urlsafe_b64encode(TOKEN.encode()).decode().rstrip("=")
    assert script.given[3] == encoded


def test_a_camera_goes_on_when_the_token_was_given(page: Any, script: ScriptedService) -> None:
    script.closings = [1008]
    page.get_by_role("button", name="Start camera").click()
    expect(page.get_by_label("Token")).to_be_focused()
    page.get_by_label("Token").fill("t")
    page.get_by_label("Token").press("Enter")

    expect(page.locator("#people li")).to_have_count(2)
    assert script.given == [None, "dA"]


# The camera


def start(page: Any) -> None:
    page.get_by_role("button", name="Start camera").click()
    expect(page.locator("#people li")).to_have_count(2)


def wait_for_frames(script: ScriptedService, count: int) -> None:
    until = len(script.frames) + count
    wait_until(lambda: len(script.frames) >= until, "frames go on")


def test_boxes_are_on_the_other_side_where_the_picture_is_mirrored(page: Any, script: ScriptedService) -> None:
    script.faces = [face((0, 100, 100, 200), "with_mask", 0.98), face((2, 240, 30, 260), "without_mask", 0.98)]
    page.get_by_label("Smooth picture").check()  # without the frame under them, boxes can be told from nothing
    start(page)

    assert pixel(page, "#overlay", 540 / 640, 150 / 320)[3] == 255
    assert pixel(page, "#overlay", 100 / 640, 150 / 320)[3] == 0
    page.get_by_label("Mirrored").uncheck()
    assert pixel(page, "#overlay", 100 / 640, 150 / 320)[3] == 255
    assert pixel(page, "#overlay", 540 / 640, 150 / 320)[3] == 0
    page.get_by_label("Smooth picture").uncheck()
    assert pixel(page, "#overlay", 540 / 640, 150 / 320)[3] == 255  # the frame


def test_two_frames_are_on_their_way_at_most_and_then_the_newest_goes(page: Any, script: ScriptedService) -> None:
    start(page)
    script.answers.clear()
    page.wait_for_timeout(1000)  # frames of the camera come all the while
    held = len(script.frames)
    page.wait_for_timeout(1000)
    assert len(script.frames) == held
    script.answers.set()

    wait_for_frames(script, 5)
    assert decoded(script.frames[-1]).shape == (320, 640, 3)


def test_the_size_that_is_sent_can_be_chosen(page: Any, script: ScriptedService) -> None:
    start(page)
    page.get_by_label("Size sent").select_option("480")
    wait_for_frames(script, 4)

    assert decoded(script.frames[-1]).shape == (240, 480, 3)


def test_a_frame_can_be_saved_with_its_boxes(page: Any) -> None:
    start(page)

    picture = decoded(saved(page, "Save picture"))
    assert picture.shape == (320, 640, 3)
    assert picture[100, 10].astype(int) == pytest.approx(
        np.array(colour_of("with_mask")), abs=60
    )  # a thin line in a JPEG
    assert len(json.loads(saved(page, "Save JSON"))["faces"]) == 2


def test_a_lost_connection_is_made_again(page: Any, script: ScriptedService) -> None:
    script.closings = [1001, 1011]
    page.get_by_role("button", name="Start camera").click()

    expect(page.locator("#live-state")).to_have_text("Connection lost. The page connects again by itself.")
    expect(page.locator("#people li")).to_have_count(2)
    expect(page.locator("#live-state")).to_be_empty()
    assert len(script.given) == 3


def test_a_stream_that_ended_for_want_of_frames_goes_on_with_the_next(page: Any, script: ScriptedService) -> None:
    script.closings = [1000]
    page.locator("#live-state").evaluate(
        """node => {
          window.said = [];
          new MutationObserver(() => said.push(node.textContent)).observe(node, { childList: true });
        }"""
    )
    start(page)

    assert len(script.given) == 2
    assert not [text for text in page.evaluate("said") if "lost" in text]


@pytest.mark.parametrize(
    ("code", "words"), [(1013, "The service cannot take the camera now"), (1009, "Choose a smaller size")]
)
def test_a_stream_that_is_refused_says_why(page: Any, script: ScriptedService, code: int, words: str) -> None:
    script.closings = [code]
    page.get_by_role("button", name="Start camera").click()

    expect(page.get_by_text(words)).to_be_visible()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NotFoundError", "No camera was found. Connect one, then start again."),
        ("NotAllowedError", "This page may not use the camera. Allow it at the camera sign in the address bar"),
        ("NotReadableError", "Close other programs that use it, then start again."),
    ],
)
def test_a_camera_that_cannot_be_used_says_what_to_do(visit: Visit, name: str, words: str) -> None:
    visit.page.add_init_script(
        f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('no', '{name}'); }}"
    )
    page = visit.open()
    page.get_by_role("button", name="Start camera").click()

    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.get_by_role("button", name="Start camera")).to_be_focused()
    expect(page.locator("#stage")).to_be_hidden()


def test_a_page_without_https_says_that_cameras_need_it(visit: Visit) -> None:
    visit.page.add_init_script("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    page = visit.open()
    page.get_by_role("button", name="Start camera").click()

    expect(page.get_by_role("alert")).to_contain_text("over HTTPS. Open this page at http://localhost")


def test_a_camera_that_is_pulled_out_is_told(page: Any) -> None:
    start(page)
    page.locator("#video").evaluate("video => video.srcObject.getVideoTracks()[0].dispatchEvent(new Event('ended'))")

    expect(page.get_by_role("alert")).to_contain_text("The camera was disconnected.")
    page.get_by_role("button", name="Start camera").click()
    expect(page.locator("#people li")).to_have_count(2)
    expect(page.get_by_role("alert")).to_be_empty()


def test_cameras_can_be_chosen(visit: Visit) -> None:
    visit.page.add_init_script(
        """const list = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
        navigator.mediaDevices.enumerateDevices = async () => {
          const [first] = (await list()).filter(({ kind }) => kind === "videoinput");
          return [first, { kind: "videoinput", deviceId: first.deviceId, label: "second camera" }];
        };"""
    )
    page = visit.open()
    start(page)
    page.get_by_label("Which camera").select_option("second camera")

    expect(page.locator("#people li")).to_have_count(2)
    assert page.locator("#camera option").count() == 2


# For everybody


def test_everything_works_with_the_keyboard(page: Any) -> None:
    page.on("filechooser", lambda _: None)  # intercepted from now on: asked for later, that can come after the key
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
        if reached[-1] == "toggle":
            break
    assert reached[:2] == ["files", "toggle"]
    page.keyboard.press("Enter")
    expect(page.locator("#people li")).to_have_count(2)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "mirror"
    page.keyboard.press("Space")
    assert not page.get_by_label("Mirrored").is_checked()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.textContent") == "Stop camera"
    page.keyboard.press("Enter")
    expect(page.locator("#stage")).to_be_hidden()
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#files")).to_be_focused()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files([str(EXAMPLES / name) for name in ("group.jpg", "astronaut.jpg")])
    expect(page.locator("#progress")).to_contain_text("2 pictures done")
    page.get_by_role("button", name="Remove: group.jpg").press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Remove: astronaut.jpg"


def test_a_screen_reader_hears_counts_and_not_with_every_frame(page: Any, script: ScriptedService) -> None:
    page.locator("#spoken").evaluate(
        """node => {
          window.heard = [];
          const hear = () => { if (node.textContent) heard.push(performance.now()); };
          new MutationObserver(hear).observe(node, { childList: true });
        }"""
    )
    start(page)
    expect(page.locator("#spoken")).to_have_text("2 faces: 1 mask, 1 no mask")
    more, fewer = [*script.faces, face((1, 1, 9, 9), "with_mask", 0.6)], script.faces
    for step in range(20):  # the counts change all the time
        script.faces = (more, fewer)[step % 2]
        wait_for_frames(script, 2)

    times = page.evaluate("heard")
    assert all(later - earlier > 5900 for earlier, later in pairwise(times)), times
    assert len(times) < 10
    numbers = page.locator("#live-counts, #people, #speed")
    assert numbers.evaluate_all("nodes => nodes.map(node => node.closest('[role=status], [aria-live]'))") == [None] * 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 375, 1280])
def test_it_fits_a_phone_and_passes_the_rules_of_axe(
    browser: Any, script: ScriptedService, width: int, scheme: str, tmp_path: Path
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    (tmp_path / f"{'long' * 30}.jpg").write_bytes((EXAMPLES / "astronaut.jpg").read_bytes())
    script.faces = [
        *script.faces,
        face((20, 200, 90, 280), "mask_worn_incorrectly", 0.7),
        face((100, 200, 190, 280), "veil", 0.7),
    ]
    with serving(script.app()) as address:
        visit = Visit(browser, address, viewport={"width": width, "height": 760}, color_scheme=scheme)
        page = visit.open()
        page.get_by_label("Choose pictures").set_input_files(
            [str(EXAMPLES / "group.jpg"), str(next(tmp_path.glob("*.jpg"))), str(EXAMPLES / "README.md")]
        )
        expect(page.locator("#progress")).to_contain_text("3 pictures done")
        for summary in page.locator("summary").all():
            summary.click()
        page.get_by_role("button", name="Start camera").click()
        expect(page.locator("#people li")).to_have_count(4)
        page.evaluate("document.getElementById('token-form').hidden = false")
        script.closings = [1013] * 5

        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = axe.Axe().run(page).response["violations"]
        assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found] == []
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
        assert dark == (scheme == "dark")
        visit.context.close()
    assert visit.foreign() == []
