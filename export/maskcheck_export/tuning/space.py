"""The space that a search goes through: recipe keys and the values that they may take."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeAlias

import optuna
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from maskcheck_export.errors import RecipeError
from maskcheck_export.settings import Settings, find_recipe, settings_from

Value: TypeAlias = bool | int | float | str


class Range(BaseModel):
    """Numbers from `low` to `high`, whole ones if both are; with `log`, evenly in each decade."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError(f"expected low below high, and above 0 with log, got {self.low} and {self.high}")
        return self

    @property
    def extremes(self) -> tuple[Value, ...]:
        """Values that the recipe must be able to have."""
        return self.low, self.high

    def suggest(self, trial: optuna.Trial, key: str) -> Value:
        """A value for a trial."""
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        suggest = trial.suggest_int if whole else trial.suggest_float
        chosen: Value = suggest(key, self.low, self.high, log=self.log)
        return chosen


class Choices(BaseModel):
    """Values to choose from."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    choices: tuple[Value, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.choices)) < 2:
            raise ValueError(f"expected two different choices or more, got {self.choices}")
        return self

    @property
    def extremes(self) -> tuple[Value, ...]:
        """Values that the recipe must be able to have."""
        return self.choices

    def suggest(self, trial: optuna.Trial, key: str) -> Value:
        """A value for a trial."""
        chosen: Value = trial.suggest_categorical(key, self.choices)
        return chosen


Space: TypeAlias = Mapping[str, Range | Choices]

_SHARED = ("seed", "labels", "data", "split")
"""Tables and keys that decide which faces are measured: with other faces, losses cannot be compared."""

_SPACE = TypeAdapter(dict[str, Range | Choices])


def read_space(path: str | Path, settings: Settings) -> Space:
    """Read a search space, and check that the recipe can have all its values.

    Args:
        path: A TOML file, or one that comes with the package.
        settings: The recipe.

    Raises:
        RecipeError: No such file, it does not parse, a key is not one of the recipe's, or decides which faces are
            measured, or a value is not one that the recipe may have.
    """
    try:
        space = _SPACE.validate_python(tomllib.loads(find_recipe(path).read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        keys = sorted({str(one["loc"][0]) for one in error.errors()})
        raise RecipeError(
            f"{path}: {', '.join(keys)}: expected low and high (and log), low below high, or a list of choices"
        ) from error
    if not space:
        raise RecipeError(f"{path} holds no key to search")
    for key, values in space.items():
        if key.split(".")[0] in _SHARED:
            raise RecipeError(f"{path}: {key} decides which faces are measured; it must be the same in all trials")
        for value in values.extremes:
            change(settings, {key: value}, name=f"{path}: {key} = {value}")
    return space


def change(settings: Settings, values: Mapping[str, Value], *, name: str) -> Settings:
    """Settings with other values for some dotted keys.

    Raises:
        RecipeError: It may not have them; the message begins with `name`.
    """
    content = settings.model_dump(mode="json")
    for key, value in values.items():
        *tables, last = key.split(".")
        table: Any = content
        for part in tables:
            table = table.get(part) if isinstance(table, dict) else None
        if not isinstance(table, dict) or last not in table:
            raise RecipeError(f"{name}: no such key in a recipe: {key}")
        table[last] = value
    return settings_from(content, name)


def value_of(settings: Settings, key: str) -> Value:
    """The value of a dotted key that a space may have."""
    value: Any = settings.model_dump(mode="json")
    for part in key.split("."):
        value = value[part]
    chosen: Value = value
    return chosen


def show(value: Value) -> str:
    """A value, for people: four digits of a number."""
    return f"{value:.4g}" if isinstance(value, float) and math.isfinite(value) else str(value)
