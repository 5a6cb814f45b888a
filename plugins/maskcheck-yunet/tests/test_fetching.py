from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from conftest import FileServer
from maskcheck import ModelIntegrityError, ModelNotFound, SourceError
from maskcheck_yunet import model
from maskcheck_yunet.command import main

CONTENT = bytes(range(256)) * 1000


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache directory, no model named by the environment, and CONTENT for the right file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(model, "cached_path", lambda: tmp_path / "cache" / "yunet.onnx")
    monkeypatch.delenv(model.VARIABLE, raising=False)
    monkeypatch.setattr(model, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    return tmp_path / "cache"


def test_a_fetched_file_is_found_afterwards_and_not_fetched_again(server: FileServer, cache: Path) -> None:
    server.content = CONTENT

    path = model.fetch_model(server.address)

    assert path.read_bytes() == CONTENT
    assert model.find_model("") == path == cache / "yunet.onnx"
    assert model.fetch_model(server.address) == path
    assert server.starts == [0]
    assert [file.name for file in cache.iterdir()] == ["yunet.onnx"]


def test_a_fetch_that_was_cut_off_goes_on_where_it_stopped(server: FileServer, cache: Path) -> None:
    server.content, server.cut = CONTENT, 100_000

    with pytest.raises(SourceError, match=r"cannot fetch http.*bytes are kept, run it again to go on"):
        model.fetch_model(server.address)
    assert not (cache / "yunet.onnx").exists()
    model.fetch_model(server.address)

    assert (cache / "yunet.onnx").read_bytes() == CONTENT
    assert server.starts[0] == 0
    assert 0 < server.starts[1] <= 100_000


def test_another_file_is_refused_and_not_kept(server: FileServer, cache: Path) -> None:
    server.content = b"<html>moved</html>"

    with pytest.raises(SourceError, match="is not the expected file") as refused:
        model.fetch_model(server.address)

    assert refused.value.source == server.address
    assert not any(cache.iterdir())


def test_a_server_that_does_not_answer_is_an_error_that_names_the_address() -> None:
    with pytest.raises(SourceError, match=r"cannot fetch http://127\.0\.0\.1:9/yunet"):
        model.fetch_model("http://127.0.0.1:9/yunet.onnx")


def test_the_command_prints_where_the_file_lies(server: FileServer, cache: Path) -> None:
    server.content = CONTENT

    result = CliRunner().invoke(main, ["fetch", "--from", server.address])

    assert result.exit_code == 0
    assert result.stdout.strip() == str(cache / "yunet.onnx")


def test_the_command_says_what_failed(server: FileServer) -> None:
    server.content = b"other"

    result = CliRunner().invoke(main, ["fetch", "--from", server.address])

    assert result.exit_code == 2
    assert "is not the expected file" in result.output


def test_without_a_model_the_error_says_how_to_get_one() -> None:
    with pytest.raises(ModelNotFound, match="fetch it once with `maskcheck-yunet fetch`"):
        model.find_model("")


def test_the_option_goes_before_the_environment_and_that_before_the_cache(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("option.onnx", "variable.onnx"):
        (tmp_path / name).write_bytes(b"")
    cache.mkdir()
    (cache / "yunet.onnx").write_bytes(CONTENT)

    assert model.find_model("") == cache / "yunet.onnx"
    monkeypatch.setenv(model.VARIABLE, str(tmp_path / "variable.onnx"))
    assert model.find_model("") == tmp_path / "variable.onnx"
    assert model.find_model(str(tmp_path / "option.onnx")) == tmp_path / "option.onnx"


def test_a_named_file_that_is_missing_is_an_error_that_says_who_named_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelNotFound, match=r"no YuNet model nowhere\.onnx, which option model names"):
        model.find_model("nowhere.onnx")
    monkeypatch.setenv(model.VARIABLE, "gone.onnx")
    with pytest.raises(ModelNotFound, match=r"no YuNet model gone\.onnx, which MASKCHECK_YUNET_MODEL names"):
        model.find_model("")


def test_a_fetched_file_that_was_changed_is_refused(cache: Path) -> None:
    cache.mkdir()
    (cache / "yunet.onnx").write_bytes(b"changed")

    with pytest.raises(ModelIntegrityError, match="fetch it again with `maskcheck-yunet fetch`"):
        model.find_model("")
