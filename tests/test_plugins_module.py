"""The module that plugins import: its names, how little it loads, and that our own plugins use nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from maskcheck import plugins

PLUGINS = Path(__file__).parents[1] / "plugins"
SOURCE = Path(plugins.__file__)


def imported_for_type_checkers() -> dict[str, str]:
    """Names that a type checker sees in the module, with the module that each comes from."""
    return {
        alias.name: node.module or ""
        for node in ast.walk(ast.parse(SOURCE.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("maskcheck.")
        for alias in node.names
        if alias.name != "load_name"
    }


def test_what_is_declared_public_is_what_type_checkers_see() -> None:
    assert sorted(plugins.__all__) == sorted(imported_for_type_checkers())
    assert sorted(dir(plugins)) == sorted(plugins.__all__)


@pytest.mark.parametrize("name", plugins.__all__)
def test_every_name_is_the_object_that_type_checkers_see(name: str) -> None:
    module = __import__(imported_for_type_checkers()[name], fromlist=[name])

    assert getattr(plugins, name) is getattr(module, name)


def test_a_name_that_does_not_exist_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match=r"'maskcheck\.plugins' has no attribute 'DetectorSpek'"):
        _ = plugins.DetectorSpek


def test_what_a_detector_imports_loads_no_runtime_and_no_commands() -> None:
    code = """
import sys
from maskcheck.plugins import Detections, DetectorSpec, OnnxSession, SessionConfig, hookimpl, network_options
print(*{name.partition(".")[0] for name in sys.modules}, "maskcheck.commands" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    *loaded, commands = done.stdout.split()

    assert not {"onnxruntime", "click", "rich", "cv2"} & set(loaded)
    assert commands == "False"


# --- Our own plugins


def imports_of_maskcheck(path: Path) -> Iterator[str]:
    """Modules of maskcheck that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] == "maskcheck")


def shown(path: Path) -> str:
    return path.relative_to(PLUGINS).as_posix()


@pytest.mark.parametrize("path", sorted(PLUGINS.glob("*/src/**/*.py")), ids=shown)
def test_our_plugins_import_nothing_but_the_public_module(path: Path) -> None:
    assert set(imports_of_maskcheck(path)) <= {"maskcheck.plugins"}


@pytest.mark.parametrize("path", sorted(PLUGINS.glob("*/tests/*.py")), ids=shown)
def test_the_tests_of_our_plugins_import_nothing_private(path: Path) -> None:
    assert set(imports_of_maskcheck(path)) <= {"maskcheck", "maskcheck.plugins", "maskcheck.testing"}
