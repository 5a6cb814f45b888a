"""The space of a search: keys of a recipe, and the values that each may have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Self, TypeAlias

import optuna
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from maskcheck_export.errors import RecipeError
from maskcheck_export.recipes.reading import change_settings, read_toml
from maskcheck_export.recipes.settings import Settings

Value: TypeAlias = bool | int | float | str


class Range(BaseModel):
    """Numbers from `low` to `high`, integers if both are; with `log`, evenly in each decade."""

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
        """Values that the recipe must allow."""
        return self.low, self.high

    def suggest(self, trial: optuna.Trial, key: str) -> Value:
        """A value for a trial."""
        integers = isinstance(self.low, int) and isinstance(self.high, int)
        suggest = trial.suggest_int if integers else trial.suggest_float
        value: Value = suggest(key, self.low, self.high, log=self.log)
        return value


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
        """Values that the recipe must allow."""
        return self.choices

    def suggest(self, trial: optuna.Trial, key: str) -> Value:
        """A value for a trial."""
        value: Value = trial.suggest_categorical(key, self.choices)
        return value


Space: TypeAlias = Mapping[str, Range | Choices]

_SHARED = ("seed", "labels", "data", "split")
"""Keys that decide which faces are measured: losses on different faces cannot be compared."""

_SPACE = TypeAdapter(dict[str, Range | Choices])


def read_space(path: str | Path, settings: Settings) -> Space:
    """Read a search space, and check that the recipe allows all its values.

    Args:
        path: A TOML file, or a file of the package.
        settings: The recipe.

    Raises:
        RecipeError: There is no such file, it is not TOML, a key is unknown or decides which faces are measured, or
            a value is not allowed.
    """
    try:
        space = _SPACE.validate_python(read_toml(path))
    except ValidationError as error:
        keys = sorted({str(line["loc"][0]) for line in error.errors()})
        raise RecipeError(
            f"{path}: {', '.join(keys)}: expected low and high (and log), low below high, or a list of choices"
        ) from error
    if not space:
        raise RecipeError(f"{path} holds no key to search")
    for key, values in space.items():
        if key.split(".")[0] in _SHARED:
            raise RecipeError(f"{path}: {key} decides which faces are measured; it must be the same in all trials")
        for value in values.extremes:
            change_settings(settings, {key: value}, name=f"{path}: {key} = {value}")
    return space


def show(value: Value) -> str:
    """A value as text: a float with four digits."""
    return f"{value:.4g}" if isinstance(value, float) and math.isfinite(value) else str(value)
