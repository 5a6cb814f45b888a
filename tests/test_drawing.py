"""``draw_faces``: boxes, colours and captions, with labels of any text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck.pictures.drawing import draw_faces, text_rendering

LABELS = ["with_mask", "without_mask", "mask_worn_incorrectly"]


@dataclass(frozen=True)
class Labelled:
    """The attributes that `draw_faces` needs."""

    box: tuple[float, float, float, float]
    label: str = "with_mask"
    confidence: float = 0.9


def grey(width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 128, np.uint8)


def changed(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where something was drawn into a grey picture."""
    return np.asarray((image != 128).any(axis=2), np.bool_)


def letters(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a caption has its letters, black or white: all channels are dark, or all are bright."""
    return np.asarray((image.max(axis=2) < 100) | (image.min(axis=2) > 150), np.bool_)


def colour(label: str) -> tuple[int, ...]:
    """Colour of the lower edge of a box with this label."""
    drawn = draw_faces(grey(300, 300), [Labelled((50, 50, 250, 250), label)])
    return tuple(drawn[249, 150].tolist())


def test_each_label_has_another_colour() -> None:
    colours = {colour(label) for label in [*LABELS, "some_other_label"]}

    assert len(colours) == 4
    assert (128, 128, 128) not in colours


@pytest.mark.parametrize("label", ["", "face_shield", "masque mal porté", "口罩", "a_very_long_label" * 20])
def test_any_label_can_be_drawn(label: str) -> None:
    drawn = draw_faces(grey(200, 150), [Labelled((50, 60, 120, 130), label)])

    assert changed(drawn)[129, 50:120].all()
    assert colour(label) == colour("some_other_label")


def test_captions_differ_by_label_and_confidence() -> None:
    captions = {
        letters(draw_faces(grey(400, 200), [Labelled((100, 100, 180, 180), label, confidence)])).tobytes()
        for label in LABELS
        for confidence in (0.51, 0.99)
    }

    assert len(captions) == 6


def luminance(bgr: tuple[int, ...]) -> float:
    """Relative luminance as WCAG defines it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (value / 255 for value in bgr)]
    return 0.0722 * linear[0] + 0.7152 * linear[1] + 0.2126 * linear[2]


@pytest.mark.parametrize("label", [*LABELS, "some_other_label"])
def test_captions_are_legible_on_their_colour(label: str) -> None:
    drawn = draw_faces(grey(700, 700), [Labelled((50, 100, 650, 690), label)])  # large, so that strokes are solid
    black, white = ((drawn == ink).all(axis=2).sum() for ink in (0, 255))
    dark, light = sorted([luminance(colour(label)), 0.0 if black > white else 1.0])

    assert max(black, white) > 500
    assert (light + 0.05) / (dark + 0.05) >= 3  # what WCAG asks for large letters


def test_the_picture_is_not_changed_and_the_copy_has_its_shape() -> None:
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    before = image.copy()
    image.flags.writeable = False

    drawn = draw_faces(image, [Labelled((30, 40, 80, 85))])

    np.testing.assert_array_equal(image, before)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert (drawn != image).any()


def test_without_faces_the_copy_is_equal() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)

    drawn = draw_faces(image, [])

    np.testing.assert_array_equal(drawn, image, strict=True)
    assert not np.shares_memory(drawn, image)


def test_the_box_is_drawn_inside_its_half_open_edges_and_its_inside_is_unchanged() -> None:
    mask = changed(draw_faces(grey(300, 200), [Labelled((100, 80, 140, 130))]))

    assert mask[80, 100:140].all()
    assert mask[129, 100:140].all()
    assert mask[80:130, 100].all()
    assert mask[80:130, 139].all()
    assert not mask[131:].any()
    assert not mask[:, :99].any()
    assert not mask[83:127, 103:137].any()


def test_a_box_between_pixels_is_drawn_on_whole_pixels_around_it() -> None:
    drawn = draw_faces(grey(300, 200), [Labelled((100.4, 80.6, 139.2, 129.9))])

    np.testing.assert_array_equal(drawn, draw_faces(grey(300, 200), [Labelled((100, 80, 140, 130))]))


@pytest.mark.parametrize(
    ("width", "height", "box"),
    [
        pytest.param(200, 150, (0, 0, 50, 50), id="top left corner"),
        pytest.param(200, 150, (150, 0, 200, 50), id="top right corner"),
        pytest.param(200, 150, (0, 100, 50, 150), id="bottom left corner"),
        pytest.param(200, 150, (150, 100, 200, 150), id="bottom right corner"),
        pytest.param(200, 150, (0, 0, 200, 150), id="the whole picture"),
        pytest.param(200, 150, (70, 70, 71, 71), id="one pixel"),
        pytest.param(200, 150, (0, 0, 1, 1), id="one pixel in the first corner"),
        pytest.param(200, 150, (199, 149, 200, 150), id="one pixel in the last corner"),
        pytest.param(200, 150, (0, 70, 200, 71), id="a line"),
        pytest.param(30, 30, (5, 5, 25, 25), id="narrower than its caption"),
        pytest.param(12, 4, (0, 0, 12, 4), id="lower than its caption"),
        pytest.param(1, 1, (0, 0, 1, 1), id="picture of one pixel"),
    ],
)
def test_any_box_in_any_picture_can_be_drawn(width: int, height: int, box: tuple[int, int, int, int]) -> None:
    drawn = draw_faces(grey(width, height), [Labelled(box)])

    assert drawn.shape == (height, width, 3)
    assert changed(drawn).any()


@pytest.mark.parametrize("y", [0, 5, 60, 160])
@pytest.mark.parametrize("x", [0, 130, 260])
def test_the_whole_caption_stays_inside_the_picture(x: int, y: int) -> None:
    def visible(x: int, y: int) -> int:
        drawn = draw_faces(grey(300, 200), [Labelled((x, y, x + 40, y + 40), "mask_worn_incorrectly")])
        return int(letters(drawn).sum())

    assert visible(x, y) == visible(100, 100) > 0


def test_a_small_face_in_front_of_a_large_one_keeps_its_caption() -> None:
    large = Labelled((10, 60, 290, 290), "without_mask")
    small = Labelled((100, 60, 140, 100), "with_mask")  # its caption lies inside the large box

    alone = draw_faces(grey(300, 300), [small])[:60]
    caption = changed(alone)

    assert letters(alone).any()
    for faces in ([small, large], [large, small]):
        both = draw_faces(grey(300, 300), faces)[:60]
        np.testing.assert_array_equal(both[caption], alone[caption])


def test_lines_and_letters_grow_with_the_face() -> None:
    small, large = (draw_faces(grey(600, 600), [Labelled((50, 50, 50 + side, 50 + side))]) for side in (60, 400))

    assert letters(large).sum() > 2 * letters(small).sum() > 0
    assert changed(large)[250, :100].sum() > 2 * changed(small)[80, :100].sum() > 0


# --- captions beyond ASCII

BOX = (100, 100, 280, 280)


def caption(label: str) -> bytes:
    return letters(draw_faces(grey(700, 300), [Labelled(BOX, label)])).tobytes()


@pytest.fixture
def bare_system(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A system that has no fonts."""
    monkeypatch.setattr(text_rendering, "_FONTS", ("no such font.ttf",))
    text_rendering._font_with.cache_clear()
    yield
    text_rendering._font_with.cache_clear()


@pytest.mark.parametrize(
    ("label", "other"),
    [
        pytest.param("masque mal porté", "masque mal port?", id="accents"),
        pytest.param("口罩", "面具", id="Chinese"),
        pytest.param("маска", "каска", id="Cyrillic"),
        pytest.param("كمامة", "قناع", id="Arabic"),
        pytest.param("🙂", "🙁", id="emoji"),
    ],
)
def test_captions_of_labels_beyond_ascii_differ(label: str, other: str) -> None:
    assert caption(label) != caption(other)
    assert caption(label) != caption("?" * len(label))


@pytest.mark.usefixtures("bare_system")
@pytest.mark.parametrize(
    ("label", "spelled"),
    [
        ("masque mal porté", "masque mal porte"),
        ("Straße_ŁÓDŹ", "Strasse LODZ"),
        ("口罩", "\\u53e3\\u7f69"),
    ],
)
def test_a_label_that_no_font_can_draw_is_spelled_in_ascii(label: str, spelled: str) -> None:
    assert caption(label) == caption(spelled)


@pytest.mark.parametrize(
    ("label", "shown"),
    [("a\nb", "a\\nb"), ("\x1b[31m", "\\x1b[31m"), ("\u202emask", "\\u202emask"), ("\ud800", "\\ud800")],
)
def test_unprintable_characters_are_drawn_as_escapes(label: str, shown: str) -> None:
    assert caption(label) == caption(shown)


def test_a_font_of_the_system_is_used_if_it_has_the_letters() -> None:
    drawn = text_rendering.render_text("porté", 20)
    if drawn is None:
        pytest.skip("this system has no font with the letter é")

    assert drawn.dtype == np.uint8
    assert drawn.max() == 255
    assert 15 <= drawn.shape[0] <= 40


def test_a_character_that_no_font_has_is_not_rendered() -> None:
    assert text_rendering.render_text("\U0010fffd", 20) is None  # for private use: no font of a system has it


@pytest.mark.parametrize("label", ["é" * 5000, "x" * 5000, "\x1b" * 5000])
@pytest.mark.parametrize("box", [(0, 0, 1, 1), (5, 3, 25, 25), (0, 20, 30, 30)])
def test_a_label_of_any_length_can_be_drawn(label: str, box: tuple[int, int, int, int]) -> None:
    drawn = draw_faces(grey(30, 30), [Labelled(box, label)])

    assert drawn.shape == (30, 30, 3)
    assert changed(drawn).any()


def test_a_caption_in_a_font_of_the_system_is_drawn_above_the_box() -> None:
    drawn = draw_faces(grey(400, 300), [Labelled(BOX, "porté")])

    assert not letters(drawn)[100:].any()
    assert letters(drawn)[:100].any()
    assert not changed(drawn)[:50].any()


# --- unsure faces


def test_a_face_below_min_confidence_is_grey_with_the_caption_unsure() -> None:
    faces = [Labelled(BOX, "with_mask", 0.6)]

    drawn = draw_faces(grey(400, 300), faces, min_confidence=0.7)

    edge = drawn[279, 200]
    assert edge.max() == edge.min() != 128
    other = draw_faces(grey(400, 300), [Labelled(BOX, "without_mask", 0.6)], min_confidence=0.7)
    np.testing.assert_array_equal(drawn, other)
    assert letters(drawn).tobytes() != letters(draw_faces(grey(400, 300), faces)).tobytes()


def test_a_face_at_min_confidence_is_drawn_as_usual() -> None:
    faces = [Labelled(BOX, "with_mask", 0.7)]

    np.testing.assert_array_equal(
        draw_faces(grey(400, 300), faces, min_confidence=0.7), draw_faces(grey(400, 300), faces), strict=True
    )
