"""The page of ``maskcheck report`` in a real browser: it loads nothing, and can be used without a mouse."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from maskcheck import SourceError
from maskcheck.commands import main
from maskcheck.results import Face, FrameResult

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

EVIL = "<img src=x onerror=alert(1)>.png"
ESCAPED = "\u202egpj</script><script>alert(2)</script>\"'"


def results(picture: Path) -> Iterator[FrameResult]:
    """Three hundred faces of which the model is more and more sure, two with odd names, a track, and three failures."""
    for number in range(300):
        share, label = 0.5 + number / 1000, ("with_mask", "without_mask", "mask_worn_incorrectly")[number % 3]
        box = (20.0, 20.0, 40.0 + number / 10, 50.0 + number / 10)
        faces = (Face(box, label, share, {label: share, "other": round(1 - share, 6)}, 0.9),)
        yield FrameResult(faces, (160, 120), source=str(picture if number < 3 else f"folder/{number}.jpg"))
    odd = Face((60, 30, 90, 70), "with_mask", 0.95, {"with_mask": 0.95, "other": 0.05}, 0.9)
    for name in (picture.parent / EVIL, ESCAPED):
        yield FrameResult((odd,), (160, 120), source=str(name))
    walks = Face((60, 30, 90, 70), "with_mask", 0.97, {"with_mask": 0.97, "other": 0.03}, 0.9, track_id=4)
    for frame in range(3):
        yield FrameResult((walks,), (160, 120), source="street.mp4", frame=frame, time=71.5 + frame / 10)
    for name in ("<b>broken</b>.jpg", "cut.jpg", "other/cut.jpg"):
        yield FrameResult((), (0, 0), source=name, error=SourceError(f"{name} is damaged", source=name))


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    picture = folder / "picture.png"
    _, encoded = cv2.imencode(".png", np.full((120, 160, 3), 90, np.uint8))
    picture.write_bytes(encoded.tobytes())
    (folder / EVIL).write_bytes(encoded.tobytes())
    lines = "".join(json.dumps(each.to_dict()) + "\n" for each in results(picture))
    (folder / "results.jsonl").write_text(lines, encoding="utf-8")
    (folder / "receipt.json").write_text("{}")
    outcome = CliRunner().invoke(main, ["report", str(folder)])
    assert outcome.exit_code == 0, outcome.output
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, headless=True, chromium_sandbox=False)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, page_file: Path) -> Iterator[Any]:
    """The page, opened. What it loads, says or breaks fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(10_000)
    loaded: list[str] = []
    troubles: list[str] = []
    opened.on("request", lambda request: loaded.append(request.url))
    opened.on("console", lambda message: troubles.append(message.text))  # also what the page's policy forbids
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("dialog", lambda dialog: troubles.append(dialog.message))
    opened.goto(page_file.as_uri())
    yield opened
    assert troubles == []
    assert [url for url in loaded if not url.startswith("data:image/jpeg;base64,")] == [page_file.as_uri()]
    context.close()


def names(page: Any) -> list[str]:
    found: list[str] = page.locator("#faces .name").all_inner_texts()
    return found


def test_the_page_shows_the_least_sure_faces_first_and_more_when_asked(page: Any) -> None:
    assert page.locator("#shown").inner_text() == "303 faces"
    assert names(page)[:4] == ["picture.png"] * 3 + ["3.jpg"]
    assert len(names(page)) == 120
    page.get_by_role("button", name="Show 120 more").click()
    page.get_by_role("button", name="Show 63 more").click()
    assert len(names(page)) == 303
    assert page.locator("#more").is_hidden()
    assert page.evaluate("document.activeElement.className") == "card"


def test_thumbnails_are_there_with_a_text_for_those_who_cannot_see_them(page: Any) -> None:
    first = page.locator("#faces img").first
    assert first.get_attribute("alt") == "face in picture.png, with mask, 50.0 %"
    assert first.evaluate("image => image.complete && image.naturalWidth") == 128
    box = first.bounding_box()
    assert box["width"] == pytest.approx(box["height"], abs=1)
    assert page.locator("#faces .gone").first.inner_text() == "the file is gone"
    assert page.locator("#faces img:not([alt])").count() == 0


def test_names_of_files_are_shown_and_never_run(page: Any) -> None:
    page.get_by_label("File name").fill("onerror")
    assert names(page) == [EVIL]
    assert page.locator("#faces img").count() == 1  # its thumbnail
    page.get_by_label("File name").fill("alert(2)")
    assert names(page) == ["script>\"'"]
    page.locator(".card").click()
    assert page.locator("#details dd").last.inner_text() == "\\" + "u202e" + ESCAPED[1:]
    assert page.locator("#failed td").first.count() == 0
    assert page.evaluate("document.scripts.length") == 2


def test_faces_can_be_chosen_by_name_label_and_confidence(page: Any) -> None:
    shown = page.locator("#shown")
    page.get_by_label("File name").fill("FOLDER/29")
    assert shown.inner_text() == "11 of 303 faces"
    page.get_by_label("with mask", exact=True).uncheck()
    page.get_by_label("mask worn incorrectly").uncheck()
    assert shown.inner_text() == "3 of 303 faces"
    assert set(page.locator("#faces .headline .label").all_inner_texts()) == {"without mask"}
    page.get_by_role("button", name="Reset").click()
    playwright.expect(shown).to_have_text("303 faces")
    page.get_by_label("from").fill("70")
    page.get_by_label("to", exact=True).fill("70.95")
    assert shown.inner_text() == "10 of 303 faces"
    page.get_by_label("to", exact=True).fill("")
    assert shown.inner_text() == "103 of 303 faces"
    page.get_by_label("File name").fill("nobody has this name")
    assert shown.inner_text() == "0 of 303 faces"


@pytest.mark.parametrize(
    ("order", "first"),
    [("doubt", "picture.png"), ("sure", "street.mp4"), ("name", EVIL), ("large", "291.jpg")],
)
def test_faces_can_be_put_in_order(page: Any, order: str, first: str) -> None:
    page.get_by_label("Order").select_option(order)

    assert names(page)[0] == first


def test_names_are_in_the_order_of_their_numbers(page: Any) -> None:
    page.get_by_label("File name").fill("folder/")
    page.get_by_label("Order").select_option("name")

    assert names(page)[:9] == [f"{number}.jpg" for number in range(3, 12)]


def test_everything_works_with_the_keyboard(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type("folder")
    assert page.evaluate("document.activeElement.id") == "search"
    assert page.get_by_label("File name").input_value() == "folder"
    page.locator(".card").first.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    assert dialog.is_visible()
    assert page.locator("#details-name").inner_text() == "3.jpg"
    assert page.get_by_role("button", name="Previous").is_disabled()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#details-name").inner_text() == "4.jpg"
    assert "folder/4.jpg" in dialog.inner_text()
    page.keyboard.press("Escape")
    assert dialog.is_hidden()
    page.wait_for_function("document.activeElement.innerText.split('\\n').at(-1) === '4.jpg'")


def test_a_person_in_a_video_has_time_and_track(page: Any) -> None:
    page.get_by_label("File name").fill("street")

    assert page.locator("#faces .when").all_inner_texts() == ["1:11.5, track 4"]
    page.locator(".card").click()
    details = page.get_by_role("dialog").inner_text()
    assert "3 frames with this label" in details
    assert "1:11.5 to 1:11.7" in details


def test_what_was_not_read_is_listed_and_searched(page: Any) -> None:
    rows = page.locator("#failed tbody tr")
    assert page.get_by_role("heading", name="Not read: 3").is_visible()
    assert rows.all_inner_texts()[0].split("\t") == ["<b>broken</b>.jpg", "<b>broken</b>.jpg is damaged"]
    page.get_by_label("File name").fill("cut")
    assert rows.count() == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_it_fits_a_phone_and_its_text_can_be_read(browser: Any, page_file: Path, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(page_file.as_uri())

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    low = page.evaluate(
        """() => {
          const channels = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((c) => c / 255);
          const light = (colour) => channels(colour)
            .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
          const ground = (node) => {
            const colour = getComputedStyle(node).backgroundColor;
            return colour !== "rgba(0, 0, 0, 0)" || !node.parentElement ? colour : ground(node.parentElement);
          };
          const low = [];
          const texts = "h1, p, dt, dd, .label, .name, .share, .gone, th, td, legend, button";
          for (const node of document.querySelectorAll(texts)) {
            const [a, b] = [light(getComputedStyle(node).color), light(ground(node))].sort((x, y) => y - x);
            const contrast = (a + 0.05) / (b + 0.05);
            if (contrast < 4.5) low.push(`${node.tagName}.${node.className} ${contrast.toFixed(2)}`);
          }
          return [...new Set(low)];
        }"""
    )
    assert low == []
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert dark == (scheme == "dark")
    page.locator(".card").first.click()
    box = page.get_by_role("dialog").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    context.close()
