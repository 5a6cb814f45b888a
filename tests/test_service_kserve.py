"""The Open Inference Protocol (KServe v2) of the service, with the client of Triton."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("fastapi", reason="the service needs `pip install maskcheck[serve]`")
pytest.importorskip("uvicorn", reason="the service needs `pip install maskcheck[serve]`")

from running_service import NumberedDetector, Running, picture, running  # needs the packages above

from maskcheck import Combination, MaskClassifier, MaskPipeline
from maskcheck.service.settings import ServiceSettings

triton = pytest.importorskip("tritonclient.http", reason='needs `pip install "tritonclient[http]"`')

CLASSIFIER = "maskcheck_classifier"
LOOK = {"another": Combination(least=0.1, weight=0.5, offset=0.0)}


@pytest.fixture
def model(make_toy_model: Callable[..., Path]) -> Path:
    return make_toy_model(second_look=LOOK, place=(0.1, 0.2, 0.3, 0.4))


@pytest.fixture
def server(model: Path) -> Iterator[Running]:
    pipeline = MaskPipeline("haar", model=model, batch_size=4)
    with running(pipeline, ServiceSettings(max_request_bytes=200_000, max_pictures=3, grace=1)) as service:
        yield service


@pytest.fixture
def client(server: Running) -> Iterator[Any]:
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as made:
        yield made


def crops(count: int = 3) -> NDArray[np.uint8]:
    """Crops of the toy model, from dark to bright, the last ones red."""
    made = np.zeros((count, 16, 16, 3), np.uint8)
    made[:] = np.linspace(90, 160, count)[:, None, None, None]
    made[-1, ..., 0] = 255
    return made


def faces(content: NDArray[np.uint8], *, binary: bool = True) -> Any:
    tensor = triton.InferInput("faces", list(content.shape), "UINT8")
    tensor.set_data_from_numpy(content, binary_data=binary)
    return tensor


def pictures(*content: bytes) -> Any:
    tensor = triton.InferInput("picture", [len(content), 1], "BYTES")
    tensor.set_data_from_numpy(np.array(content, np.object_).reshape(-1, 1))
    return tensor


def test_the_client_learns_what_there_is(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(CLASSIFIER)
    assert client.is_model_ready("maskcheck", model_version="1")
    assert not client.is_model_ready(CLASSIFIER, model_version="2")
    assert not client.is_model_ready("another")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    assert client.get_model_metadata(CLASSIFIER) == {
        "name": CLASSIFIER,
        "versions": ["1"],
        "platform": "maskcheck",
        "inputs": [{"name": "faces", "datatype": "UINT8", "shape": [-1, 16, 16, 3]}],
        "outputs": [
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "face", "datatype": "FP32", "shape": [-1, 1]},
            {"name": "box", "datatype": "FP32", "shape": [-1, 4]},
        ],
    }


@pytest.mark.parametrize("sent_binary", [True, False])
@pytest.mark.parametrize("wanted_binary", [True, False])
def test_crops_get_what_the_classifier_says(
    client: Any, model: Path, *, sent_binary: bool, wanted_binary: bool
) -> None:
    names = ["box", "probabilities", "face"]
    outputs = [triton.InferRequestedOutput(name, binary_data=wanted_binary) for name in names]

    answer = client.infer(CLASSIFIER, [faces(crops(), binary=sent_binary)], outputs=outputs, request_id="seven")

    look = MaskClassifier(model).look(crops())
    assert look.face is not None
    assert look.box is not None
    np.testing.assert_allclose(answer.as_numpy("probabilities"), look.probabilities, rtol=1e-6)
    np.testing.assert_allclose(answer.as_numpy("face"), look.face[:, None], rtol=1e-6)
    np.testing.assert_allclose(answer.as_numpy("box"), look.box, rtol=1e-6)
    response = answer.get_response()
    assert (response["model_name"], response["model_version"], response["id"]) == (CLASSIFIER, "1", "seven")


def test_only_the_outputs_that_are_asked_for_come(client: Any) -> None:
    answer = client.infer(CLASSIFIER, [faces(crops())], outputs=[triton.InferRequestedOutput("face")])

    assert [output["name"] for output in answer.get_response()["outputs"]] == ["face"]
    everything = client.infer(CLASSIFIER, [faces(crops())], model_version="1").get_response()["outputs"]
    assert [output["name"] for output in everything] == ["probabilities", "face", "box"]


def test_a_classifier_without_a_second_look_has_one_output(toy_model: Path) -> None:
    with (
        running(MaskPipeline("haar", model=toy_model)) as service,
        triton.InferenceServerClient(f"127.0.0.1:{service.port}") as client,
    ):
        assert [output["name"] for output in client.get_model_metadata(CLASSIFIER)["outputs"]] == ["probabilities"]
        answer = client.infer(CLASSIFIER, [faces(crops())])
        assert answer.as_numpy("probabilities").shape == (3, 2)
        assert answer.as_numpy("face") is None


def test_pictures_give_results_and_a_bad_one_its_error(client: Any, server: Running, portrait: Path) -> None:
    content = portrait.read_bytes()

    answer = client.infer("maskcheck", [pictures(content, b"no picture", content)])

    first, second, third = (json.loads(text) for text in answer.as_numpy("result").ravel())
    assert first["faces"] == third["faces"] == server.service.pipeline(content).to_dict()["faces"]
    assert first["faces"]
    assert second["error"]["type"] == "ImageError"
    assert server.count('maskcheck_pictures_total{outcome="failed"}') == 1


def test_without_a_mask_classifier_there_is_the_whole_pipeline_alone() -> None:
    with (
        running(MaskPipeline(NumberedDetector())) as service,
        triton.InferenceServerClient(f"127.0.0.1:{service.port}") as client,
    ):
        assert client.is_server_ready()
        assert not client.is_model_ready(CLASSIFIER)
        answer = client.infer("maskcheck", [pictures(picture(7))])
        assert len(json.loads(answer.as_numpy("result")[0, 0])["faces"]) == 2


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (faces(np.zeros((1, 17, 16, 3), np.uint8)), "expected the shape (N, 16, 16, 3)"),
        (faces(np.zeros((5, 16, 16, 3), np.uint8)), "expected at most 4 in a request, got 5"),
        (faces(np.zeros((300, 16, 16, 3), np.uint8)), "at most 200000 bytes"),
        (pictures(b"x"), "expected the input faces, got 'picture'"),
    ],
)
def test_the_client_is_told_what_is_wrong(client: Any, tensor: Any, words: str) -> None:
    with pytest.raises(triton.InferenceServerException) as caught:
        client.infer(CLASSIFIER, [tensor])

    assert words in caught.value.message()
    assert client.infer(CLASSIFIER, [faces(crops())]).as_numpy("probabilities").shape == (3, 2)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_a_compressed_body_is_refused(client: Any, algorithm: str) -> None:
    with pytest.raises(triton.InferenceServerException, match="send it uncompressed"):
        client.infer(CLASSIFIER, [faces(crops())], request_compression_algorithm=algorithm)


SHAPE = [1, 16, 16, 3]
BLACK = {"name": "faces", "datatype": "UINT8", "shape": SHAPE, "data": [0] * 768}


def with_json(content: object, binary: bytes = b"", length: str | None = None) -> tuple[bytes, dict[str, str]]:
    text = json.dumps(content).encode()
    return text + binary, {"Inference-Header-Content-Length": length or str(len(text))} if binary or length else {}


def inputs(**changes: object) -> dict[str, object]:
    return {"inputs": [{**BLACK, **changes}]}


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ((b"{", {}), "expected a JSON object"),
        ((b"[" * 100_000, {}), "expected a JSON object"),
        ((b"\xff", {}), "expected a JSON object"),
        (with_json([]), "list of one tensor"),
        (with_json({"inputs": []}), "list of one tensor"),
        (with_json({"inputs": [BLACK, BLACK]}), "list of one tensor"),
        (with_json({"inputs": [1]}), "list of one tensor"),
        (with_json({**inputs(), "id": 7}), "id: expected a text"),
        (with_json(inputs(datatype="FP32")), "expected UINT8"),
        (with_json(inputs(shape=[1, 16, 16])), "expected the shape"),
        (with_json(inputs(shape=[-1, 16, 16, 3])), "expected the shape"),
        (with_json(inputs(shape=[True, 16, 16, 3])), "expected the shape"),
        (with_json(inputs(shape=[0, 16, 16, 3], data=[])), "N from 1"),
        (with_json(inputs(shape="1")), "expected the shape"),
        (with_json(inputs(data=[0] * 767)), "768 whole numbers"),
        (with_json(inputs(data=[0.5] * 768)), "768 whole numbers"),
        (with_json(inputs(data=[256] * 768)), "768 whole numbers"),
        (with_json(inputs(data=None)), "768 whole numbers"),
        (with_json(inputs(), b"1"), "binary_data_size"),
        (with_json(inputs(parameters={"binary_data_size": 768}), b"1" * 767), "binary_data_size"),
        (with_json(inputs(parameters={"binary_data_size": 767}), b"1" * 767), "768 bytes of binary data"),
        (with_json(inputs(parameters={"binary_data_size": "768"}), b"1" * 768), "binary_data_size"),
        (with_json(inputs(), length="many"), "a number of bytes"),
        (with_json(inputs(), length="1000000"), "bytes of the body"),
        (with_json({**inputs(), "outputs": [{"name": "logits"}]}), "probabilities, face, box"),
        (with_json({**inputs(), "outputs": 7}), "probabilities, face, box"),
        (
            with_json({**inputs(), "outputs": [{"name": "face", "parameters": {"classification": 2}}]}),
            "ask for the tensor",
        ),
    ],
)
def test_a_malformed_request_is_refused_in_the_words_of_the_protocol(
    server: Running, request_: tuple[bytes, dict[str, str]], words: str
) -> None:
    body, headers = request_

    answer = server.client.post(f"/v2/models/{CLASSIFIER}/infer", content=body, headers=headers)

    check_error(answer, 400, words)
    assert server.client.get("/v2/health/ready").status_code == 200


@pytest.mark.parametrize("data", [b"\x05\0\0\0abc", b"\x01\0", b"\x01\0\0\0a\x01\0\0\0b", b"\xff\xff\xff\xffa", b""])
def test_malformed_elements_of_a_binary_tensor_are_refused(server: Running, data: bytes) -> None:
    entry = {"name": "picture", "datatype": "BYTES", "shape": [1, 1], "parameters": {"binary_data_size": len(data)}}
    text = json.dumps({"inputs": [entry]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))}

    answer = server.client.post("/v2/models/maskcheck/infer", content=text + data, headers=headers)

    check_error(answer, 400, "1 elements in the binary data")


def test_an_unknown_model_is_refused(server: Running) -> None:
    check_error(server.client.get("/v2/models/another"), 404, "maskcheck or maskcheck_classifier")
    check_error(server.client.get(f"/v2/models/{CLASSIFIER}/versions/2"), 404, "version 1")


def test_a_token_is_needed_where_there_are_tokens(model: Path) -> None:
    settings = ServiceSettings(tokens=("secret",), grace=1)
    with (
        running(MaskPipeline("haar", model=model), settings) as service,
        triton.InferenceServerClient(f"127.0.0.1:{service.port}") as client,
    ):
        check_error(service.client.get("/v2/health/live"), 401, "Authorization: Bearer")
        with pytest.raises(triton.InferenceServerException, match="Authorization: Bearer"):
            client.infer(CLASSIFIER, [faces(crops())])
        token = {"Authorization": "Bearer secret"}
        assert client.infer(CLASSIFIER, [faces(crops())], headers=token).as_numpy("face").shape == (3, 1)


def test_a_closing_service_is_alive_but_not_ready(server: Running) -> None:
    server.service.closing.set()
    try:
        assert server.client.get("/v2/health/live").status_code == 200
        check_error(server.client.get("/v2/health/ready"), 503, "the service ends")
    finally:
        server.service.closing.clear()


def test_the_example_labels_pictures_and_boxes(
    server: Running, portrait: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import triton_client

    arguments = ["triton_client.py", str(portrait), "--url", f"127.0.0.1:{server.port}"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert triton_client.main() == 0
    (line,) = capsys.readouterr().out.splitlines()
    face = server.service.pipeline(portrait).faces[0]
    assert line.startswith(f"{portrait}: {face.label} {face.confidence:.2f} at {list(face.pixel_box)}")


def check_error(response: httpx.Response, status: int, *words: str) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert response.json().keys() == {"error"}
    for word in words:
        assert word in response.json()["error"]
