from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from maskcheck import MaskClassifier, ModelError, ModelInfo, ModelIntegrityError, ModelMetadataError, ModelNotFound
from maskcheck.classifier.model import DEFAULT_MODEL, EMBEDDED_MODELS, EmbeddedModel, find_model, hash_model

INFO = ModelInfo(
    labels=("masked", "nicht maskiert", "戴错", 'with "quotes", and commas'),
    input_size=128,
    crop_margin=0.1,
    license="CC BY 4.0",
    trained_on="2000 pictures\nof two sets",
    created_by="maskcheck-export 0.1.0",
    metrics={"accuracy": 0.97, "of": {"set": "test", "count": 12}, "labels": ["a", "b"]},
    precision="int8",
)

REQUIRED = ["schema", "labels", "input_size", "crop_margin", "license", "trained_on", "created_by"]


# --- Metadata


def test_metadata_that_was_written_is_read_back(tmp_path: Path) -> None:
    model = onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], []))
    onnx.helper.set_model_props(model, INFO.to_metadata())
    path = tmp_path / "model.onnx"
    onnx.save(model, path)

    metadata = {entry.key: entry.value for entry in onnx.load(path).metadata_props}

    assert ModelInfo.from_metadata(metadata, path=str(path)) == INFO


def test_every_key_is_prefixed_so_that_other_tools_can_add_theirs() -> None:
    metadata = INFO.to_metadata()

    assert all(key.startswith("maskcheck.") for key in metadata)
    assert ModelInfo.from_metadata({**metadata, "author": "me", "onnx.quant": "yes"}, path="m.onnx") == INFO


@pytest.mark.parametrize("key", REQUIRED)
def test_a_missing_key_is_named(key: str) -> None:
    metadata = INFO.to_metadata()
    del metadata[f"maskcheck.{key}"]

    with pytest.raises(ModelMetadataError, match=f"has no metadata maskcheck.{key}:") as refused:
        ModelInfo.from_metadata(metadata, path="other.onnx")

    assert refused.value.path == "other.onnx"
    assert str(refused.value).startswith("other.onnx ")
    assert "maskcheck-export convert" in str(refused.value)


def test_all_missing_keys_are_named_at_once() -> None:
    with pytest.raises(ModelMetadataError) as refused:
        ModelInfo.from_metadata({"author": "someone"}, path="other.onnx")

    assert all(f"maskcheck.{key}" in str(refused.value) for key in REQUIRED)


def test_metrics_and_precision_may_be_missing() -> None:
    metadata = INFO.to_metadata()
    del metadata["maskcheck.metrics"], metadata["maskcheck.precision"]

    info = ModelInfo.from_metadata(metadata, path="m.onnx")

    assert info.metrics == {}
    assert info.precision == "float32"


@pytest.mark.parametrize("schema", ["0", "3", "", "one"])
def test_another_schema_is_refused_and_the_error_names_the_right_one(schema: str) -> None:
    with pytest.raises(ModelMetadataError, match=f"schema {schema!r}, this version reads '1' and '2'") as refused:
        ModelInfo.from_metadata({**INFO.to_metadata(), "maskcheck.schema": schema}, path="m.onnx")

    assert refused.value.path == "m.onnx"


@pytest.mark.parametrize(
    "labels", ["masked,bare", "", "{}", '{"0": "masked"}', '"masked"', "[]", "[0, 1]", '["masked", null]', "null"]
)
def test_labels_that_are_no_json_list_of_names_are_refused(labels: str) -> None:
    with pytest.raises(ModelMetadataError, match=r"m\.onnx has metadata that does not parse: ") as refused:
        ModelInfo.from_metadata({**INFO.to_metadata(), "maskcheck.labels": labels}, path="m.onnx")

    assert refused.value.path == "m.onnx"


def test_the_same_label_twice_is_refused() -> None:
    # Probabilities go by label: the second would replace the first.
    with pytest.raises(ModelMetadataError, match="labels"):
        ModelInfo.from_metadata({**INFO.to_metadata(), "maskcheck.labels": '["a", "b", "a"]'}, path="m.onnx")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("input_size", "large"),
        ("input_size", ""),
        ("input_size", "128.5"),
        ("crop_margin", "wide"),
        ("crop_margin", ""),
        ("crop_margin", "nan"),
        ("crop_margin", "inf"),
        ("metrics", "good"),
        ("metrics", "[]"),
    ],
)
def test_a_damaged_value_is_refused(key: str, value: str) -> None:
    with pytest.raises(ModelMetadataError) as refused:
        ModelInfo.from_metadata({**INFO.to_metadata(), f"maskcheck.{key}": value}, path="m.onnx")

    assert refused.value.path == "m.onnx"


def test_labels_are_written_as_json_that_other_programs_read() -> None:
    assert json.loads(INFO.to_metadata()["maskcheck.labels"]) == list(INFO.labels)


# --- Files


@pytest.mark.parametrize("as_text", [True, False])
def test_a_model_file_is_found_by_its_path(toy_model: Path, as_text: bool) -> None:
    assert find_model(str(toy_model) if as_text else toy_model) == toy_model


def test_an_embedded_model_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small").write_bytes(b"")

    assert find_model("small") == EMBEDDED_MODELS["small"].path
    assert find_model(Path("small")) == Path("small")
    assert find_model("./small") == Path("small")


def test_a_missing_file_is_refused_when_the_classifier_is_made(tmp_path: Path) -> None:
    path = tmp_path / "missing.onnx"

    with pytest.raises(ModelNotFound, match="no model file") as refused:
        MaskClassifier(path)

    assert refused.value.path == str(path)
    assert str(path) in str(refused.value)
    assert "install" not in str(refused.value)


def test_a_folder_is_no_model_file(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        find_model(tmp_path)


def test_a_hash_is_the_sha256_of_the_file(toy_model: Path) -> None:
    assert hash_model(toy_model) == hashlib.sha256(toy_model.read_bytes()).hexdigest()


def test_a_hash_is_computed_once_while_the_file_stays(
    toy_model: Path, make_toy_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, read = hashlib.file_digest, []

    def spy(file: Any, name: str) -> Any:
        read.append(name)
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", spy)
    later = time.time() + 60  # a file that was changed just now could change again within the same tick
    monkeypatch.setattr("maskcheck.classifier.model.time.time", lambda: later)

    assert hash_model(toy_model) == hash_model(toy_model)
    assert len(read) == 1
    before = hash_model(toy_model)
    toy_model.write_bytes(make_toy_model("other.onnx", labels=("ant", "bee")).read_bytes())
    assert hash_model(toy_model) != before


# --- The embedded file, for which a small one stands here


@pytest.fixture
def embedded(toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(EMBEDDED_MODELS, DEFAULT_MODEL, EmbeddedModel(toy_model, hash_model(toy_model)))
    return toy_model


def test_without_a_model_the_embedded_one_is_used(embedded: Path) -> None:
    classifier = MaskClassifier(device="cpu", threads=1)

    assert classifier.path == str(embedded)
    assert classifier.sha256 == hashlib.sha256(embedded.read_bytes()).hexdigest()
    assert classifier.labels == ("bright", "dark")


def test_a_missing_embedded_file_says_to_install_again(embedded: Path) -> None:
    embedded.unlink()

    with pytest.raises(ModelNotFound, match="install maskcheck again") as refused:
        MaskClassifier()

    assert refused.value.path == str(embedded)


def change(path: Path) -> None:
    """Change the weights, so that the file still loads."""
    model = onnx.load(path)
    model.doc_string = "changed"
    onnx.save(model, path)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("attribute", ["info", "labels", "sha256", "providers"])
def test_a_changed_embedded_file_is_refused_before_it_is_loaded(embedded: Path, attribute: str) -> None:
    expected = hash_model(embedded)
    change(embedded)
    classifier = MaskClassifier(device="cpu", threads=1)

    with pytest.raises(ModelIntegrityError, match="install maskcheck again") as refused:
        getattr(classifier, attribute)

    assert refused.value.path == str(embedded)
    assert expected in str(refused.value)
    assert hashlib.sha256(embedded.read_bytes()).hexdigest() in str(refused.value)


def test_an_embedded_file_that_is_cut_off_is_an_integrity_error(embedded: Path) -> None:
    cut_off(embedded)

    with pytest.raises(ModelIntegrityError):
        _ = MaskClassifier(device="cpu", threads=1).info


def test_a_file_of_the_user_may_have_any_content(embedded: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.onnx"
    mine.write_bytes(embedded.read_bytes())
    change(mine)

    assert MaskClassifier(mine, device="cpu", threads=1).labels == ("bright", "dark")


def test_all_faults_of_a_model_file_can_be_caught_together(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    for content in (None, b"broken"):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ModelError):
            _ = MaskClassifier(path, device="cpu", threads=1).info
