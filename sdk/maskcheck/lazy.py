"""Public names of a package that are loaded when they are first used."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def load_name(package: str, modules: Mapping[str, str], name: str) -> Any:
    """The object of a public name.

    Args:
        package: Module that has the name.
        modules: Module of ``maskcheck`` that defines each public name.
        name: The name.

    Raises:
        AttributeError: The package has no such name.
        ImportError: The module of the name does not import.
    """
    if name not in modules:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"maskcheck.{modules[name]}"), name)
    except AttributeError as error:  # of a damaged OpenCV, say; Python would say that the name does not exist
        raise ImportError(
            f"{package}.{name} does not import: {error}; `maskcheck doctor` says what to install again", name=name
        ) from error
