from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from conftest import FileServer
from maskcheck.plugins import ModelIntegrityError, ModelNotFound, SourceError
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
    monkeypatch.setattr(model, "SIZE", len(CONTENT))
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


def test_no_more_is_fetched_than_the_file_has(server: FileServer, cache: Path) -> None:
    server.content = CONTENT + b"more" * 100_000

    with pytest.raises(SourceError, match=f"it is larger than the {len(CONTENT)} bytes expected"):
        model.fetch_model(server.address)

    assert sum(file.stat().st_size for file in cache.iterdir()) == 0
    server.content = CONTENT
    assert model.fetch_model(server.address).read_bytes() == CONTENT


def test_a_server_that_takes_for_ever_is_given_up(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(10**6))
    monkeypatch.setattr(model, "monotonic", lambda: float(next(times)))  # a second for each piece
    server.content = CONTENT

    with pytest.raises(SourceError, match=r"not all of it came within 300 seconds; 48.. bytes are kept"):
        model.fetch_model(server.address)


def test_what_was_kept_of_a_longer_file_is_begun_anew(server: FileServer, cache: Path) -> None:
    cache.mkdir()
    (cache / "yunet.part").write_bytes(CONTENT + b"more")
    server.content = CONTENT

    assert model.fetch_model(server.address).read_bytes() == CONTENT
    assert server.starts == [0]


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links are of POSIX systems")
def test_a_link_in_the_place_of_the_file_is_not_followed(server: FileServer, cache: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    cache.mkdir()
    (cache / "yunet.part").symlink_to(precious)
    server.content = CONTENT

    with pytest.raises(SourceError, match="a link lies where the file is to be written; remove it"):
        model.fetch_model(server.address)

    assert precious.read_text() == "kept"


def test_the_address_names_a_commit_not_a_branch_that_moves() -> None:
    assert re.search(r"/[0-9a-f]{40}/onnx/", model.ADDRESS)


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
    with pytest.raises(ModelNotFound, match=r"gone\.onnx, which MASKCHECK_YUNET_MODEL names; correct it"):
        model.find_model("")


def test_a_fetched_file_that_was_changed_is_refused(cache: Path) -> None:
    cache.mkdir()
    (cache / "yunet.onnx").write_bytes(b"changed")

    with pytest.raises(ModelIntegrityError, match="fetch it again with `maskcheck-yunet fetch`"):
        model.find_model("")
