"""The example programs: the web page and the embedding in ten lines."""

from __future__ import annotations

import base64
import html
import importlib.util
import io
import re
import runpy
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray
from PIL import Image
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from maskcheck import DecodingLimits, Detections, MaskPipeline, load_image

EXAMPLES = Path(__file__).parents[1] / "examples"


class TopLeftCorner:
    """A detector that reports the top left 40 x 40 pixels of every picture as a face."""

    def detect(self, _image: NDArray[np.uint8], /) -> Detections:
        return Detections(np.array([[0, 0, 40, 40]], np.float32), np.array([0.75], np.float32))


def load_example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def web_host() -> ModuleType:
    return load_example("web_host")


@pytest.fixture
def client(web_host: ModuleType, toy_model: Path) -> FlaskClient:
    client: FlaskClient = web_host.create_app(MaskPipeline(model=toy_model, threads=1)).test_client()
    return client


@pytest.fixture
def corner_client(web_host: ModuleType, toy_model: Path) -> FlaskClient:
    """Serves a pipeline with a limit of one megapixel and a detector that always reports one face."""
    pipeline = MaskPipeline(TopLeftCorner(), model=toy_model, threads=1, limits=DecodingLimits(max_pixels=1_000_000))
    client: FlaskClient = web_host.create_app(pipeline).test_client()
    return client


def upload(client: FlaskClient, picture: bytes, *, name: str = "people.jpg", url: str = "/") -> TestResponse:
    # Encoded here, because the test client leaves a temporary file open for large uploads.
    boundary, body = encode_multipart({"picture": FileStorage(io.BytesIO(picture), filename=name)})
    return client.post(url, data=body, content_type=f"multipart/form-data; boundary={boundary}")


def encoded(pixels: NDArray[np.uint8], suffix: str) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def images(response: TestResponse) -> list[NDArray[np.uint8]]:
    """The pictures inside the page."""
    contents = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', response.text)
    return [load_image(base64.b64decode(content)).pixels for content in contents]


def message(response: TestResponse) -> str:
    """The error message on the page."""
    match = re.search(r'role="alert">.*?<p>(.*?)</p>', response.text, re.DOTALL)
    assert match is not None
    return html.unescape(match.group(1))


def test_the_empty_page_asks_for_a_picture(client: FlaskClient) -> None:
    response = client.get("/")

    assert response.status_code == 200
    assert 'type="file"' in response.text
    assert "<table" not in response.text
    assert 'role="alert"' not in response.text


def test_an_upload_is_shown_annotated(client: FlaskClient, portrait: Path) -> None:
    response = upload(client, portrait.read_bytes())

    assert response.status_code == 200
    preview, *thumbnails = images(response)
    original = load_image(portrait).pixels
    assert preview.shape == original.shape
    difference = np.abs(preview.astype(int) - original).max(axis=2)
    assert np.median(difference) < 16  # JPEG alone changes little
    assert (difference > 64).sum() > 500  # box and caption
    assert len(thumbnails) == 1


def test_each_face_has_a_row(client: FlaskClient, portrait: Path, toy_model: Path) -> None:
    (face,) = MaskPipeline(model=toy_model)(portrait)

    page = upload(client, portrait.read_bytes()).text

    (row,) = re.findall(r"<tr.*?</tr>", page.partition("<tbody")[2], re.DOTALL)
    cells = [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]
    x1, y1, x2, y2 = face.pixel_box
    assert cells[1:] == [
        face.label,
        f"{face.confidence:.1%}",
        f"{face.detection_score:.2f}",
        f"{x1}, {y1} to {x2}, {y2}",
    ]
    assert all(stage in page for stage in ("Decode", "Detect", "Classify", "Total"))


def test_a_picture_without_faces_is_no_error(client: FlaskClient, halves: NDArray[np.uint8]) -> None:
    response = upload(client, encoded(halves, ".png"))

    assert response.status_code == 200
    assert "No face was found" in response.text
    assert len(images(response)) == 1


def test_notes_on_the_picture_are_shown(corner_client: FlaskClient, halves: NDArray[np.uint8]) -> None:
    animation = io.BytesIO()
    frames = [Image.fromarray(halves), Image.fromarray(255 - halves)]
    frames[0].save(animation, "GIF", save_all=True, append_images=frames[1:])

    assert "only the first of 2 frames was read" in upload(corner_client, animation.getvalue()).text


def test_the_preview_of_a_large_picture_is_smaller_with_boxes_in_place(corner_client: FlaskClient) -> None:
    preview, thumbnail = images(upload(corner_client, encoded(np.full((100, 3200, 3), 255, np.uint8), ".png")))

    assert preview.shape == (50, 1600, 3)
    marked = np.nonzero(preview.min(axis=2) < 200)
    assert marked[0].max() < 24  # the box of 40 pixels is drawn with 20
    assert thumbnail.shape == (40, 40, 3)


def test_a_picture_thinner_than_the_preview_can_show_is_shown(client: FlaskClient) -> None:
    (preview,) = images(upload(client, encoded(np.zeros((1, 4000, 3), np.uint8), ".png")))

    assert preview.shape == (1, 1600, 3)


def test_an_upload_is_never_written_to_disk(
    client: FlaskClient, portrait: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = encoded(load_image(portrait).pixels, ".bmp")
    assert len(picture) > 500_000  # above this, Werkzeug's own parser writes a temporary file
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))  # any temporary file would fail

    assert upload(client, picture).status_code == 200


def test_answers_are_not_cached(client: FlaskClient) -> None:
    assert client.get("/").headers["Cache-Control"] == "no-store"


BAD_PICTURES = [
    pytest.param(b"this is text, not a picture", 400, "ImageError", "not a picture in a known format", id="text"),
    pytest.param(b"", 400, "ImageError", "empty", id="empty"),
    pytest.param(
        (EXAMPLES / "astronaut.jpg").read_bytes()[:20_000], 400, "ImageError", "cannot be decoded", id="truncated"
    ),
    pytest.param(
        encoded(np.zeros((1001, 1000, 3), np.uint8), ".png"), 413, "ImageTooLarge", "1.0 megapixels", id="pixels"
    ),
    pytest.param(bytes(20_000_001), 413, "RequestEntityTooLarge", "at most 20 MB", id="bytes"),
]


@pytest.mark.parametrize(("picture", "status", "kind", "text"), BAD_PICTURES)
def test_the_error_for_a_bad_picture_is_shown(
    corner_client: FlaskClient, picture: bytes, status: int, kind: str, text: str
) -> None:
    page = upload(corner_client, picture)
    answer = upload(corner_client, picture, url="/api/detect")

    assert page.status_code == answer.status_code == status
    assert page.mimetype == "text/html"
    assert text in message(page)
    assert 'type="file"' in page.text  # to try again
    assert answer.json == {"error": {"type": kind, "message": message(page)}}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("picture", (b"", ""), id="no file chosen"),
        pytest.param("picture", "people.jpg", id="text field"),
        pytest.param("image", (b"picture", "people.jpg"), id="other field"),
        pytest.param("", "", id="empty form"),
    ],
)
@pytest.mark.parametrize("url", ["/", "/api/detect"])
def test_the_error_for_a_missing_picture_is_shown(
    client: FlaskClient, url: str, field: str, value: str | tuple[bytes, str]
) -> None:
    content = value if isinstance(value, str) else (io.BytesIO(value[0]), value[1])

    response = client.post(url, data={field: content} if field else {})

    assert response.status_code == 400
    assert "no picture was chosen" in response.text


def test_other_errors_keep_their_status_and_headers(client: FlaskClient) -> None:
    response = client.get("/api/detect")

    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    assert response.json is not None
    assert response.json["error"]["type"] == "MethodNotAllowed"
    assert client.get("/elsewhere").status_code == 404


def test_an_internal_error_reveals_nothing_to_the_visitor(
    web_host: ModuleType, toy_model: Path, halves: NDArray[np.uint8]
) -> None:
    class Broken:
        def detect(self, _image: NDArray[np.uint8], /) -> Detections:
            raise RuntimeError("secret")

    client = web_host.create_app(MaskPipeline(Broken(), model=toy_model)).test_client()
    response = upload(client, encoded(halves, ".png"), url="/api/detect")

    assert response.status_code == 500
    assert "secret" not in response.text
    assert response.json is not None
    assert response.json["error"]["type"] == "InternalServerError"


@pytest.mark.parametrize("picture", [b"<script>alert(1)</script>", (EXAMPLES / "astronaut.jpg").read_bytes()])
def test_html_in_names_and_messages_is_escaped(client: FlaskClient, picture: bytes) -> None:
    page = upload(client, picture, name="<script>alert(1)</script>' onload='.jpg").text

    assert "&lt;script" in page
    assert "<script" not in page
    assert "' onload" not in page


def test_the_json_endpoint_gives_the_result(client: FlaskClient, portrait: Path, toy_model: Path) -> None:
    response = upload(client, portrait.read_bytes(), url="/api/detect")

    assert response.status_code == 200
    expected = MaskPipeline(model=toy_model)(portrait.read_bytes()).to_dict()
    assert response.json is not None
    assert response.json.keys() == expected.keys()
    assert {**response.json, "timings_ms": None} == {**expected, "timings_ms": None}


def test_requests_may_overlap(client: FlaskClient, portrait: Path, masked_portrait: Path) -> None:
    pictures = [portrait.read_bytes(), masked_portrait.read_bytes()]

    def detect(picture: bytes) -> object:
        answer = upload(client.application.test_client(), picture, url="/api/detect").json
        assert answer is not None
        return answer["faces"]

    alone = [detect(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(detect, pictures * 4))

    assert together == alone * 4


@pytest.mark.parametrize(("arguments", "name"), [([], "group.jpg"), (["PICTURE"], "astronaut.jpg")])
def test_the_embedding_example_runs(
    arguments: list[str],
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    picture = EXAMPLES / name
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["embed.py", *([str(picture)] if arguments else [])])

    runpy.run_path(str(EXAMPLES / "embed.py"), run_name="__main__")

    faces = capsys.readouterr().out.splitlines()
    assert faces
    assert all(re.fullmatch(r"\(\d+, \d+, \d+, \d+\) \w+ \d+\.\d%", face) for face in faces)
    annotated = load_image(tmp_path / "annotated.jpg").pixels
    assert annotated.shape == load_image(picture).pixels.shape
