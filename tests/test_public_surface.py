from __future__ import annotations

import ast
import inspect
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import maskcheck
from maskcheck import errors

SOURCE = Path(maskcheck.__file__)


def imported_for_type_checkers() -> dict[str, str]:
    """Names that a type checker sees in the package, with the module of each: the imports of its ``__init__.py``."""
    return {
        alias.name: node.module or ""
        for node in ast.walk(ast.parse(SOURCE.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("maskcheck")
        for alias in node.names
        if alias.name != "load_name"
    }


def test_what_is_declared_public_is_what_type_checkers_see() -> None:
    assert sorted(maskcheck.__all__) == sorted(imported_for_type_checkers())


@pytest.mark.parametrize("name", maskcheck.__all__)
def test_every_public_name_is_the_object_that_type_checkers_see(name: str) -> None:
    module = __import__(imported_for_type_checkers()[name], fromlist=[name])

    assert getattr(maskcheck, name) is getattr(module, name)


def test_a_star_import_gives_the_public_names_and_no_others() -> None:
    names: dict[str, Any] = {}
    exec("from maskcheck import *", names)

    assert sorted(set(names) - {"__builtins__"}) == sorted(maskcheck.__all__)


def test_completion_offers_the_public_names() -> None:
    assert sorted(dir(maskcheck)) == sorted(maskcheck.__all__)


def test_a_name_that_does_not_exist_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match=r"'maskcheck' has no attribute 'MaskPipelin'"):
        _ = maskcheck.MaskPipelin


def test_a_module_that_does_not_import_tells_why_and_not_that_the_name_does_not_exist(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_name: str) -> None:  # uninstalling one of two OpenCV distributions leaves a folder with nothing in it
        raise AttributeError("module 'cv2' has no attribute 'IMREAD_COLOR'")

    monkeypatch.setattr("maskcheck.lazy.import_module", broken)

    with pytest.raises(ImportError, match=r"MaskPipeline does not import: .*'cv2' has no attribute.*maskcheck doctor"):
        exec("from maskcheck import MaskPipeline")


def test_the_version_is_text_with_three_numbers() -> None:
    assert len([int(number) for number in maskcheck.__version__.split(".")[:3]]) == 3


def modules_loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after running `code`."""
    code += "; import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_neither_opencv_nor_a_runtime_nor_tensorflow() -> None:
    loaded = modules_loaded_by("import maskcheck; maskcheck.MaskCheckError")

    assert "maskcheck" in loaded
    assert not loaded & {"cv2", "onnxruntime", "tensorflow", "keras", "onnx", "maskcheck_export", "maskcheck_bench"}


def test_using_the_sdk_loads_nothing_of_the_export(toy_model: Path) -> None:
    loaded = modules_loaded_by(
        "import numpy, maskcheck;"
        f"pipeline = maskcheck.MaskPipeline(model={str(toy_model)!r}, device='cpu', threads=1);"
        "pipeline(numpy.zeros((40, 40, 3), numpy.uint8))"
    )

    assert "onnxruntime" in loaded
    assert not loaded & {"tensorflow", "keras", "onnx", "tf2onnx", "maskcheck_export", "maskcheck_bench"}


# --- Errors

TREE = {
    "ModelError": "MaskCheckError",
    "ModelNotFound": "ModelError",
    "ModelMetadataError": "ModelError",
    "ModelSignatureError": "ModelError",
    "ModelOutputError": "ModelError",
    "ModelTimeout": "ModelError",
    "ModelIntegrityError": "ModelError",
    "RuntimeUnavailable": "MaskCheckError",
    "RuntimeNotInstalled": "RuntimeUnavailable",
    "RuntimeConflict": "RuntimeUnavailable",
    "ProviderUnavailable": "RuntimeUnavailable",
    "DetectorNotFound": "MaskCheckError",
    "ClassifierNotFound": "MaskCheckError",
    "PluginError": "MaskCheckError",
    "DetectorOptionError": "MaskCheckError",
    "ClassifierOptionError": "MaskCheckError",
    "ImageError": "MaskCheckError",
    "ImageTooLarge": "ImageError",
    "PackageNotInstalled": "MaskCheckError",
    "PictureTimeout": "MaskCheckError",
    "SourceError": "MaskCheckError",
    "WorkerDied": "MaskCheckError",
}


@pytest.mark.parametrize(("name", "parent"), TREE.items())
def test_every_error_can_be_caught_by_its_documented_parent(name: str, parent: str) -> None:
    error = getattr(maskcheck, name)

    assert issubclass(error, getattr(maskcheck, parent))
    assert issubclass(error, maskcheck.MaskCheckError)
    assert issubclass(error, Exception)


def test_there_is_no_error_outside_the_documented_tree() -> None:
    raised = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}

    assert raised == {"MaskCheckError", *TREE}


@pytest.mark.parametrize("name", ["ImageError", "ImageTooLarge", "DetectorOptionError", "ClassifierOptionError"])
def test_errors_about_a_value_of_the_caller_are_value_errors_too(name: str) -> None:
    assert issubclass(getattr(maskcheck, name), ValueError)


@pytest.mark.parametrize(
    ("error", "attributes"),
    [
        (maskcheck.ModelError("why", path="m.onnx"), {"path": "m.onnx"}),
        (maskcheck.ModelIntegrityError("why", path="m.onnx"), {"path": "m.onnx"}),
        (maskcheck.ModelTimeout("why", path="m.onnx", timeout=2.5), {"path": "m.onnx", "timeout": 2.5}),
        (maskcheck.RuntimeConflict("why", distributions=["a", "b"]), {"distributions": ("a", "b")}),
        (
            maskcheck.ProviderUnavailable("why", requested=["X"], active=["Y", "Z"]),
            {"requested": ("X",), "active": ("Y", "Z")},
        ),
        (
            maskcheck.DetectorNotFound("why", name="x", available=["haar"], failed={"y": "broken"}),
            {"name": "x", "available": ("haar",), "failed": {"y": "broken"}},
        ),
        (
            maskcheck.ClassifierNotFound("why", name="x", available=["mask"], failed={}),
            {"name": "x", "available": ("mask",), "failed": {}},
        ),
        (maskcheck.ClassifierOptionError("why", classifier="mask", option="x"), {"classifier": "mask", "option": "x"}),
        (maskcheck.PluginError("why", plugin="x", distribution="d"), {"plugin": "x", "distribution": "d"}),
        (maskcheck.PluginError("why", plugin="x"), {"plugin": "x", "distribution": None}),
        (maskcheck.DetectorOptionError("why", detector="haar", option="x"), {"detector": "haar", "option": "x"}),
        (maskcheck.ImageError("why", source="a.jpg"), {"source": "a.jpg"}),
        (maskcheck.ImageError("why"), {"source": None}),
        (
            maskcheck.ImageTooLarge("why", source="a.jpg", pixels=9, limit=4),
            {"source": "a.jpg", "pixels": 9, "limit": 4},
        ),
        (maskcheck.PictureTimeout("why", source="a.jpg", timeout=2.5), {"source": "a.jpg", "timeout": 2.5}),
        (maskcheck.PackageNotInstalled("why", package="p"), {"package": "p"}),
        (maskcheck.SourceError("why", source="*.jpg"), {"source": "*.jpg"}),
        (maskcheck.WorkerDied("why", source="a.jpg", exit_code=-11), {"source": "a.jpg", "exit_code": -11}),
    ],
    ids=lambda value: type(value).__name__,
)
class TestErrorsWithAttributes:
    def test_carry_what_a_program_may_read(self, error: maskcheck.MaskCheckError, attributes: dict[str, Any]) -> None:
        assert str(error) == "why"
        assert {name: getattr(error, name) for name in attributes} == attributes

    def test_keep_it_on_the_way_back_from_a_worker_process(
        self, error: maskcheck.MaskCheckError, attributes: dict[str, Any]
    ) -> None:
        there = pickle.loads(pickle.dumps(error))

        assert type(there) is type(error)
        assert str(there) == "why"
        assert {name: getattr(there, name) for name in attributes} == attributes


# --- Documentation


def public_callables() -> dict[str, Any]:
    """The public classes and functions, and the public methods and properties that the classes define themselves."""
    found: dict[str, Any] = {}
    for name in maskcheck.__all__:
        value = getattr(maskcheck, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            found[name] = value
        if inspect.isclass(value):
            for key, member in vars(value).items():
                documented = inspect.isroutine(member) or isinstance(member, property) or hasattr(member, "attrname")
                if documented and (not key.startswith("_") or key == "__call__"):
                    found[f"{name}.{key}"] = member
    return found


@pytest.mark.parametrize(("name", "value"), public_callables().items(), ids=public_callables())
def test_every_public_class_and_function_has_a_docstring(name: str, value: Any) -> None:
    doc = value.__doc__ or ""

    assert doc.strip()
    assert not doc.startswith(f"{name}("), "a dataclass has only the docstring that Python made for it"
