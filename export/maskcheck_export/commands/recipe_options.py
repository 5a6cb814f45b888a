"""Options of the commands that read a recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from maskcheck_export.recipes.settings import Settings

Command = TypeVar("Command", bound=Callable[..., object])

HELP_RECIPES = (
    "RECIPE is a TOML file, or a recipe of maskcheck: recipes/default.toml, recipes/seed.toml, recipes/small.toml."
)

_RECIPE = (
    click.argument("recipe"),
    click.option(
        "--data-root",
        default=".",
        type=click.Path(path_type=Path),
        help="Folder that the data paths of the recipe are relative to.",
    ),
    click.option(
        "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change the recipe: stages.all.epochs=4."
    ),
)
_TRAINING = (
    click.option("--weights", help="First weights of the body; replaces network.weights of the recipe."),
    click.option(
        "--pack", "pack_folder", type=click.Path(path_type=Path), help="Folder of packed faces, to share between runs."
    ),
)


def recipe_options(command: Command) -> Command:
    """Give a command ``recipe``, ``data_root`` and ``changes``."""
    for option in reversed(_RECIPE):
        command = option(command)
    return command


def training_options(command: Command) -> Command:
    """Give a command ``recipe``, ``data_root``, ``changes``, ``weights`` and ``pack_folder``."""
    for option in reversed(_TRAINING):
        command = option(command)
    return recipe_options(command)


def read_settings(recipe: str, weights: str | None, changes: tuple[str, ...]) -> Settings:
    """Read the recipe, with the changes of the options.

    Raises:
        RecipeError: There is no such recipe, or a key or a value is not allowed.
    """
    from maskcheck_export.recipes.reading import read_recipe

    return read_recipe(recipe, (*changes, f"network.weights='{weights}'") if weights else changes)
