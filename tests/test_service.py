"""The HTTP service: pictures in, faces out, and what a caller is told when something is wrong."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from maskcheck import DecodingLimits, FrameResult, MaskPipeline

pytest.importorskip("fastapi", reason="the service needs `pip install maskcheck[serve]`")
pytest.importorskip("uvicorn", reason="the service needs `pip install maskcheck[serve]`")

from running_service import NumberedDetector, Running, picture, running  # needs the packages above

from maskcheck.service.app import create_app
from maskcheck.service.settings import ServiceSettings

FORM = "multipart/form-data"


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    pipeline = MaskPipeline(NumberedDetector(), limits=DecodingLimits(max_pixels=1_000_000))
    with running(pipeline, ServiceSettings(max_request_bytes=2_000_000, max_pictures=3, grace=1)) as service:
        yield service


def files(*contents: tuple[str, bytes]) -> list[tuple[str, Any]]:
    return [("file", (name, content, "image/png")) for name, content in contents]


def decoded(content: bytes) -> NDArray[np.uint8]:
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels.astype(np.uint8)


def check_problem(response: httpx.Response, status: int, *words: str) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:maskcheck:problem:")
    assert problem["title"]
    for word in words:
        assert word in problem["detail"]


def test_a_picture_gives_the_result_that_the_pipeline_gives(server: Running) -> None:
    answer = server.post(picture(7)).json()

    expected = server.service.pipeline(picture(7)).to_dict()
    assert answer.pop("timings_ms").keys() == expected.pop("timings_ms").keys()
    assert answer == expected
    assert answer["faces"][0]["box"] == [7, 5, 27, 25]
    assert answer["source"] is None


@pytest.mark.parametrize("kind", ["image/jpeg", "image/x-something", "application/octet-stream", "IMAGE/PNG; q=1"])
def test_the_content_says_the_format_whatever_its_type(server: Running, kind: str) -> None:
    assert len(server.post(picture(7), kind).json()["faces"]) == 2


def test_a_body_without_a_type_is_a_picture(server: Running) -> None:
    assert len(server.client.post("/v1/detect", content=picture(7)).json()["faces"]) == 2


def test_a_body_may_come_in_pieces(server: Running) -> None:
    encoded = picture(7)

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(encoded), 10):
            yield encoded[start : start + 10]

    answer = server.client.post("/v1/detect", content=pieces(), headers={"Content-Type": "image/png"})

    assert answer.json()["faces"][0]["box"] == [7, 5, 27, 25]


def test_a_form_gives_a_result_for_each_file_in_order(server: Running) -> None:
    uploads = files(("a.png", picture(3)), ("broken.png", b"no picture"), ("ü.png", picture(9)))

    results = server.client.post("/v1/detect", files=uploads, data={"note": "passed over"}).json()["results"]

    assert [result["source"] for result in results] == ["a.png", "broken.png", "ü.png"]
    assert [result["faces"][0]["box"][0] if result["faces"] else None for result in results] == [3, None, 9]
    assert results[1]["error"]["type"] == "ImageError"
    assert [FrameResult.from_dict(result).error is None for result in results] == [True, False, True]


def test_a_form_of_one_file_has_a_list_of_one_result(server: Running) -> None:
    (result,) = server.client.post("/v1/detect", files=files(("a.png", picture(3)))).json()["results"]

    assert result["faces"][0]["box"][0] == 3


def test_a_form_is_not_written_to_a_disk(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file")

    for name in ("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    large = picture(7, ".bmp", (600, 600))
    assert len(large) > 1_000_000

    (result,) = server.client.post("/v1/detect", files=files(("large.bmp", large))).json()["results"]

    assert result["width"] == 600


@pytest.mark.parametrize("kind", ["image/jpeg", "image/png"])
def test_the_annotated_picture(server: Running, kind: str) -> None:
    answer = server.post(picture(7), headers={"Accept": kind})

    assert answer.headers["content-type"] == kind
    drawn = server.service.pipeline(picture(7)).draw(picture(7))
    ending, options = (".png", []) if kind == "image/png" else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert np.array_equal(decoded(answer.content), decoded(cv2.imencode(ending, drawn, options)[1].tobytes()))


def test_unsure_faces_are_drawn_in_another_way(server: Running) -> None:
    sure, unsure = (
        server.post(picture(7), headers={"Accept": "image/png"}, params={"min_confidence": share}).content
        for share in (0, 0.99)
    )

    assert sure != unsure


def test_the_annotated_picture_of_a_form_of_one_file(server: Running) -> None:
    answer = server.client.post("/v1/detect", files=files(("a.png", picture(3))), headers={"Accept": "image/jpeg"})

    assert answer.content.startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("image/*, application/json;q=0.5", "image/jpeg"),
        ("image/png, image/jpeg;q=0.9", "image/png"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
        ("image/*;q=0.1, application/json;q=0.2", "application/json"),
    ],
)
def test_the_caller_chooses_the_form_of_the_answer(server: Running, accept: str, kind: str) -> None:
    assert server.post(picture(7), headers={"Accept": accept}).headers["content-type"] == kind


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "image/webp", "image/png;q=broken"])
def test_another_form_is_refused(server: Running, accept: str) -> None:
    check_problem(server.post(picture(7), headers={"Accept": accept}), 406, "application/json", accept)


def test_several_pictures_cannot_be_one_annotated_picture(server: Running) -> None:
    uploads = files(("a.png", picture(3)), ("b.png", picture(4)))

    check_problem(server.client.post("/v1/detect", files=uploads, headers={"Accept": "image/png"}), 406, "one picture")


def test_faces_below_a_score_are_left_out(server: Running) -> None:
    faces = server.post(picture(7), params={"min_score": 0.7}).json()["faces"]

    assert [face["detection_score"] for face in faces] == [0.9]


@pytest.mark.parametrize("score", ["1.5", "-1", "nan", "much"])
def test_a_parameter_out_of_its_range(server: Running, score: str) -> None:
    check_problem(server.post(picture(7), params={"min_score": score}), 422, "min_score")


def test_what_is_no_picture(server: Running) -> None:
    check_problem(server.post(b"hello"), 422, "not a picture", "hello")


def test_an_empty_body(server: Running) -> None:
    check_problem(server.post(b""), 422)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "application/json"])
def test_another_type_of_body(server: Running, kind: str) -> None:
    check_problem(server.post(picture(7), kind), 415, kind, "image/jpeg")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"--x\r\n", FORM),
        (b"no form", f"{FORM}; boundary=x"),
        (b"", f"{FORM}; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nends too early', f"{FORM}; boundary=x"),
        (b"--x\r\n" + b"a" * 100_000, f"{FORM}; boundary=x"),
        (b"--x--\r\n", f"{FORM}; boundary={'x' * 5000}"),
    ],
)
def test_a_broken_form(server: Running, body: bytes, kind: str) -> None:
    check_problem(server.post(body, kind), 400, "multipart" if "boundary" in kind else "boundary")


def test_a_form_without_files(server: Running) -> None:
    check_problem(server.client.post("/v1/detect", files={"other": ("a.png", picture(3))}), 422, "`file`")


def test_more_pictures_than_allowed(server: Running) -> None:
    uploads = files(*((f"{number}.png", picture(number)) for number in range(4)))

    check_problem(server.client.post("/v1/detect", files=uploads), 413, "at most 3 pictures")


@pytest.mark.parametrize("declared", [True, False])
def test_more_bytes_than_allowed(server: Running, declared: bool) -> None:
    body = bytes(3_000_000)

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 100_000):
            yield body[start : start + 100_000]

    answer = server.post(body if declared else pieces())  # type: ignore[arg-type]

    check_problem(answer, 413, "2000000 bytes")
    assert server.post(picture(7)).status_code == 200


def test_more_pixels_than_allowed(server: Running) -> None:
    check_problem(server.post(picture(7, size=(2000, 600))), 413, "pixels")


def test_other_addresses_and_methods(server: Running) -> None:
    check_problem(server.client.get("/v3/anything"), 404, "/openapi.json")
    refused = server.client.put("/v1/detect")
    check_problem(refused, 405)
    assert refused.headers["allow"] == "POST"


def test_health(server: Running) -> None:
    assert server.client.get("/healthz").json() == {"status": "alive"}
    ready = server.client.get("/readyz").json()
    assert ready["status"] == "ready"
    assert ready["detector"] == "NumberedDetector"


def test_what_is_counted() -> None:
    with running(MaskPipeline(NumberedDetector())) as server:
        server.post(picture(7))
        server.post(picture(8))
        server.post(b"hello")
        server.client.get("/no/such/address")

        text = server.client.get("/metrics")

        assert text.headers["content-type"].startswith("text/plain")
        lines = text.text.splitlines()
    for line in (
        'maskcheck_requests_total{route="/v1/detect",status="200"} 2.0',
        'maskcheck_requests_total{route="/v1/detect",status="422"} 1.0',
        'maskcheck_requests_total{route="none",status="404"} 1.0',
        'maskcheck_request_seconds_count{route="/v1/detect"} 3.0',
        'maskcheck_refused_total{reason="no_readable_picture"} 1.0',
        'maskcheck_faces_total{label="covered"} 2.0',
        'maskcheck_pictures_total{outcome="failed"} 1.0',
        'maskcheck_stage_seconds_count{stage="detect"} 2.0',
        "maskcheck_batch_pictures_sum 2.0",
        "maskcheck_batch_faces_sum 4.0",
        "maskcheck_queue_length 0.0",
        "maskcheck_requests_in_progress 1.0",
        "maskcheck_streams 0.0",
    ):
        assert line in lines


def test_a_fault_of_the_detector_is_the_service_s() -> None:
    def fail(number: int) -> None:
        if number == 9:
            raise RuntimeError("out of order")

    with running(MaskPipeline(NumberedDetector(fail))) as server:
        check_problem(server.post(picture(9)), 500, "out of order")
        uploads = files(("a.png", picture(3)), ("b.png", picture(9)))
        check_problem(server.client.post("/v1/detect", files=uploads), 500)
        assert server.post(picture(7)).status_code == 200


TOKENS = ("first-token", "a token, ä")


@pytest.fixture(scope="module")
def guarded() -> Iterator[Running]:
    with running(MaskPipeline(NumberedDetector()), ServiceSettings(tokens=TOKENS, grace=1)) as service:
        yield service


@pytest.mark.parametrize(
    "authorization", [None, "Bearer", "Bearer wrong", "Bearer first-toke", "Basic first-token", "first-token"]
)
def test_who_has_no_token_is_refused(guarded: Running, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}

    refused = guarded.post(picture(7), headers=headers)

    check_problem(refused, 401, "Authorization: Bearer")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert guarded.client.get("/metrics", headers=headers).status_code == 401
    assert guarded.client.get("/healthz", headers=headers).status_code == 200
    assert guarded.client.get("/readyz", headers=headers).status_code == 200


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("token", TOKENS)
def test_who_has_a_token_is_answered(guarded: Running, token: str, encoding: str) -> None:
    headers = {b"Authorization": b"bearer " + token.encode(encoding)}

    answer = guarded.client.post("/v1/detect", content=picture(7), headers={b"Content-Type": b"image/png", **headers})
    assert answer.status_code == 200
    assert guarded.client.get("/metrics", headers=headers).status_code == 200


def test_a_page_from_elsewhere_is_refused(server: Running) -> None:
    refused = server.post(picture(7), headers={"Origin": "https://example.org"})

    check_problem(refused, 403, "https://example.org", "--cors")
    assert "access-control-allow-origin" not in refused.headers
    assert server.post(picture(7), headers={"Origin": server.url}).status_code == 200
    assert server.post(picture(7), headers={"Origin": "null"}).status_code == 403


def test_an_allowed_page_from_elsewhere_is_answered() -> None:
    settings = ServiceSettings(cors=("https://example.org",), max_queue=0, grace=1)
    origin = {"Origin": "https://example.org"}
    with running(MaskPipeline(NumberedDetector()), settings) as server:
        asked = {**origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        preflight = server.client.options("/v1/detect", headers=asked)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == "https://example.org"
        for body in (picture(7), b"hello"):  # problems can be read, too
            answer = server.post(body, headers=origin)
            assert answer.headers["access-control-allow-origin"] == "https://example.org"
        assert server.post(picture(7), headers={"Origin": "https://example.com"}).status_code == 403


@pytest.mark.parametrize(
    "values",
    [
        {"max_pictures": 0},
        {"max_concurrent": 0},
        {"max_queue": -1},
        {"max_request_bytes": 1.5},
        {"timeout": 0},
        {"grace": float("nan")},
        {"tokens": ("",)},
    ],
)
def test_settings_out_of_their_range(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(values))}: expected"):
        ServiceSettings(**values)


def test_the_embedded_model_answers_as_the_pipeline_does(portrait: Path) -> None:
    with MaskPipeline() as pipeline, running(pipeline) as server:
        answer = server.post(portrait.read_bytes()).json()
        expected = pipeline(portrait.read_bytes()).to_dict()
        ready = server.client.get("/readyz").json()

    assert answer["faces"] == expected["faces"]
    assert answer["faces"][0]["label"] == "without_mask"
    assert ready["detector"] == "haar"
    assert ready["providers"][-1] == "CPUExecutionProvider"
    assert len(ready["model_sha256"]) == 64


def test_an_application_can_be_made_without_settings() -> None:
    paths = create_app().openapi()["paths"]

    assert {"/v1/detect", "/healthz", "/readyz", "/metrics"} <= paths.keys()
