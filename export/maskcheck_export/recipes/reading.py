"""Reads a recipe from a TOML file, and changes keys of it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from maskcheck_export.errors import RecipeError
from maskcheck_export.recipes.settings import Settings

_FOLDER = Path(__file__).parent


def read_recipe(recipe: str | Path, changes: Sequence[str] = ()) -> Settings:
    """Read a recipe.

    Args:
        recipe: A TOML file; or a recipe of the package, as ``recipes/default.toml`` or ``default``.
        changes: ``key=value`` with a dotted key and a TOML value, ``stages.all.epochs=2``: replaces the value of the
            recipe. A value that is not TOML is taken as text.

    Raises:
        RecipeError: There is no such recipe, it is not TOML, a key is unknown, or a value is not allowed.
    """
    content = read_toml(recipe)
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals or not key.strip():
            raise RecipeError(f"expected key=value, as stages.all.epochs=2, got {change!r}")
        try:
            parsed = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            parsed = value.strip()
        _set(content, key.strip(), parsed)
    return settings_from(content, str(recipe))


def read_toml(recipe: str | Path) -> dict[str, Any]:
    """The content of a TOML file; or of a file of the package, as ``recipes/default.toml`` or ``default``.

    Raises:
        RecipeError: There is no such file (the message lists the files of the package), or it is not TOML.
    """
    path = next(
        (path for path in (Path(recipe), _FOLDER.parent / recipe, _FOLDER / f"{recipe}.toml") if path.is_file()), None
    )
    if path is None:
        known = ", ".join(f"recipes/{path.name}" for path in sorted(_FOLDER.glob("*.toml")))
        raise RecipeError(f"no recipe {recipe}; expected a TOML file, or one of {known}")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not TOML: {error}") from error


def settings_from(content: dict[str, Any], name: str) -> Settings:
    """Check the content of a recipe.

    Raises:
        RecipeError: A key is unknown or a value is not allowed; the message names each, and `name`.
    """
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, line['loc'])) or 'recipe'}: {_problem(line)}" for line in error.errors()]
        raise RecipeError(f"{name}: " + "; ".join(problems)) from error


def change_settings(settings: Settings, values: Mapping[str, Any], *, name: str) -> Settings:
    """Settings with other values for some dotted keys.

    Raises:
        RecipeError: A key is unknown or a value is not allowed; the message names each, and `name`.
    """
    content = settings.model_dump(mode="json")
    for key, value in values.items():
        _set(content, key, value)
    return settings_from(content, name)


def value_of(settings: Settings, key: str) -> Any:
    """The value of a dotted key."""
    value: Any = settings.model_dump(mode="json")
    for part in key.split("."):
        value = value[part]
    return value


def _set(content: dict[str, Any], key: str, value: Any) -> None:
    *tables, name = key.split(".")
    for table in tables:
        content = content.setdefault(table, {})
        if not isinstance(content, dict):
            raise RecipeError(f"{key}: {table} is not a table")
    content[name] = value


def _problem(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "no such key; see maskcheck_export/recipes/settings.py"
    message = error["msg"].removeprefix("Value error, ")
    return message if error["type"] == "value_error" else f"{message}, got {error['input']!r}"
