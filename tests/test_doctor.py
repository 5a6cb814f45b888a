"""``maskcheck doctor`` on installations of which something is broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, PackageNotFoundError
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from maskcheck import DetectorSpec, ModelNotFound, hookimpl
from maskcheck.classifier.model import DEFAULT_MODEL, EMBEDDED_MODELS, EmbeddedModel, hash_model
from maskcheck.commands import main
from maskcheck.hosting import registry as registry_module
from maskcheck.hosting.registry import InstalledPlugins
from maskcheck.runtime.distributions import installed_versions, owns_package

Findings = dict[str, dict[str, str]]


def examine() -> Findings:
    result = CliRunner().invoke(main, ["doctor", "--json"], catch_exceptions=False)
    return {finding["topic"]: finding for finding in json.loads(result.stdout)["findings"]}


def install(site: Path, name: str, version: str | None, *files: str) -> None:
    """Put the metadata of a distribution into a folder of modules."""
    folder = site / f"{name.replace('-', '_')}-{version or 0}.dist-info"
    folder.mkdir()
    if version is not None:
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if files:
        (folder / "RECORD").write_text("".join(f"{file},,\n" for file in files))


@pytest.fixture(autouse=True)
def small_installation(monkeypatch: pytest.MonkeyPatch, toy_model: Path) -> None:
    """No plugins, as what is installed beside the SDK must not matter, and a model that loads fast."""
    monkeypatch.setitem(EMBEDDED_MODELS, DEFAULT_MODEL, EmbeddedModel(toy_model, hash_model(toy_model)))
    registry = InstalledPlugins(list).detectors
    monkeypatch.setattr(registry_module, "default_registry", lambda: registry)


# --- OpenCV


@pytest.fixture
def headless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Installs opencv-python-headless beside the OpenCV that is there."""

    def put(version: str) -> None:
        install(tmp_path, "opencv-python-headless", version, "cv2/__init__.py")
        monkeypatch.syspath_prepend(tmp_path)

    return put


def test_two_opencvs_of_the_same_version_get_a_note(headless: Callable[[str], None]) -> None:
    version = installed_versions("opencv-python").get("opencv-python")
    if version is None:
        pytest.skip("another OpenCV is installed here")
    headless(version)

    findings = examine()

    assert findings["OpenCV"]["status"] == "note"
    assert "opencv-python-headless" in findings["OpenCV"]["detail"]
    assert findings["Haar cascades"]["status"] == "ok"


def test_two_opencvs_of_different_versions_are_a_problem(headless: Callable[[str], None]) -> None:
    headless("4.0.0.1")

    finding = examine()["OpenCV"]

    assert finding["status"] == "problem"
    assert "pip uninstall -y" in finding["advice"]
    assert "opencv-python-headless" in finding["advice"]


def break_import(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have ``import cv2`` raise."""

    class Broken:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "cv2":
                raise error

    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])


def test_half_an_opencv_is_a_problem_and_the_advice_says_what_to_reinstall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", ModuleType("cv2"))  # an empty folder imports

    finding = examine()["OpenCV"]

    assert finding["status"] == "problem"
    assert "cv2 has no " in finding["detail"]
    assert finding["advice"].startswith("pip install --force-reinstall --no-deps ")


@pytest.mark.parametrize(
    "error", [ImportError("no cv2.abi3"), AttributeError("no loader"), OSError("bad file")], ids=repr
)
def test_an_opencv_that_does_not_import_is_a_problem(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    break_import(error, monkeypatch)

    finding = examine()["OpenCV"]

    assert finding["status"] == "problem"
    assert f"import failed: {error}" in finding["detail"]


def test_a_damaged_opencv_ends_a_command_with_a_message(tmp_path: Path) -> None:
    (tmp_path / "cv2").mkdir()  # what is left where one of two distributions is uninstalled
    (tmp_path / "cv2" / "__init__.py").touch()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    command = [sys.executable, "-m", "maskcheck", "detect", str(tmp_path)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)

    assert result.returncode == 2
    assert "OpenCV is damaged: module 'cv2' has no attribute" in result.stderr
    assert "`maskcheck doctor` says what to do" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_error_of_another_package_is_not_blamed_on_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        return ModuleType("other").missing

    monkeypatch.setattr(registry_module, "default_registry", broken)

    with pytest.raises(AttributeError, match="module 'other' has no attribute"):
        CliRunner().invoke(main, ["detectors"], catch_exceptions=False)


def test_a_detector_without_opencv_gets_the_advice_to_repair_opencv(with_detector: Callable[[Any], None]) -> None:
    with_detector(NoOpenCV)

    finding = examine()["detector strange"]

    assert finding["status"] == "problem"
    assert finding["advice"] == "repair OpenCV first, see above"


def test_a_missing_system_library_is_not_reported_as_a_damaged_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    break_import(ImportError("libGL.so.1: cannot open shared object file"), monkeypatch)

    assert "apt install libgl1" in examine()["OpenCV"]["advice"]


# --- Runtimes


@pytest.mark.parametrize(
    ("files", "conflict"),
    [
        (["onnxruntime/__init__.py"], True),
        ([], True),  # it does not tell
        (["onnxruntime_qnn/__init__.py"], False),  # a plugin of its own
    ],
)
def test_only_runtimes_that_share_files_are_a_conflict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], conflict: bool
) -> None:
    install(tmp_path, "onnxruntime-qnn", "2.0", *files)
    monkeypatch.syspath_prepend(tmp_path)

    finding = examine()["ONNX Runtime"]

    assert (finding["status"] == "problem") == conflict


def test_a_distribution_without_metadata_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "onnxruntime-gpu", None)
    broken = tmp_path / "onnxruntime_rocm-1.0.dist-info"
    broken.mkdir()
    (broken / "METADATA").write_bytes(b"\xff\xfe\x00")
    monkeypatch.syspath_prepend(tmp_path)

    assert installed_versions("onnxruntime-gpu", "onnxruntime-rocm") == {}
    assert examine()["ONNX Runtime"]["status"] == "ok"


def test_without_any_metadata_the_runtime_is_found_by_import(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> Any:  # as in a frozen application
        raise PackageNotFoundError(name)

    monkeypatch.setattr("maskcheck.runtime.distributions.distribution", none)

    finding = examine()["ONNX Runtime"]

    assert finding["status"] == "ok"
    assert "distribution unknown" in finding["detail"]


def test_a_distribution_that_lists_no_files_owns_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> Any:
        raise KeyError("files")

    assert owns_package("numpy", "numpy")
    assert not owns_package("numpy", "cv2")
    monkeypatch.setattr("maskcheck.runtime.distributions.distribution", broken)
    assert owns_package("numpy", "cv2")


# --- Detectors


@pytest.fixture
def with_detector(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Registers one detector more, made by a function."""

    def put(factory: Any) -> None:
        @hookimpl
        def maskcheck_register_detectors() -> list[DetectorSpec]:
            return [DetectorSpec("strange", "a test", factory, api_version=1)]

        plugin = ModuleType("strange_plugin")
        plugin.maskcheck_register_detectors = maskcheck_register_detectors  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "strange_plugin", plugin)
        registry = InstalledPlugins(lambda: [EntryPoint("strange", "strange_plugin", "maskcheck")]).detectors
        monkeypatch.setattr(registry_module, "default_registry", lambda: registry)

    return put


class NoModel:
    def detect(self, image: Any) -> Any: ...

    def warm_up(self) -> None:
        raise ModelNotFound("no model file here; fetch it with `strange fetch`", path="x")


class Leaves(NoModel):
    def warm_up(self) -> None:
        raise SystemExit(0)


class NoOpenCV(NoModel):
    def warm_up(self) -> None:
        raise ModuleNotFoundError("No module named 'cv2.data'", name="cv2.data")


class Speaks(NoModel):
    def warm_up(self) -> None:
        print("\x1b]0;hello\x07")


def test_a_detector_without_its_model_is_a_problem_that_says_what_to_do(with_detector: Callable[[Any], None]) -> None:
    with_detector(NoModel)

    finding = examine()["detector strange"]

    assert finding["status"] == "problem"
    assert "no model file here" in finding["detail"]
    assert finding["advice"] == "fetch it with `strange fetch`"


def test_a_detector_that_leaves_the_process_does_not_end_the_doctor(with_detector: Callable[[Any], None]) -> None:
    with_detector(Leaves)

    findings = examine()

    assert findings["detector strange"]["status"] == "problem"
    assert "SystemExit" in findings["detector strange"]["detail"]


def test_output_of_a_detector_does_not_damage_the_json(with_detector: Callable[[Any], None]) -> None:
    with_detector(Speaks)

    assert examine()["detector strange"]["status"] == "ok"


def test_a_check_that_fails_does_not_end_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        raise SystemExit(3)

    monkeypatch.setattr(registry_module, "default_registry", broken)

    findings = examine()

    assert findings["detectors"]["status"] == "problem"
    assert findings["model default"]["status"] == "ok"


def test_control_characters_of_plugins_do_not_reach_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        raise RuntimeError("\x1b]0;evil\x07[red]")

    monkeypatch.setattr(registry_module, "default_registry", broken)
    output = CliRunner().invoke(main, ["doctor"]).stdout

    assert "\x1b]" not in output
    assert "\\x1b]0;evil\\x07[red]" in output
