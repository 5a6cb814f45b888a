"""The options that commands share which follow a recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from maskcheck_export.settings import Settings

Command = TypeVar("Command", bound=Callable[..., object])

HELP_RECIPES = "RECIPE is a TOML file, or one that comes with maskcheck: recipes/default.toml, recipes/seed.toml."

_OPTIONS = (
    click.argument("recipe"),
    click.option(
        "--data-root",
        default=".",
        type=click.Path(path_type=Path),
        help="Folder that the recipe's data paths are relative to.",
    ),
    click.option("--weights", help="Start of the body, instead of the recipe's network.weights."),
    click.option(
        "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change the recipe: stages.all.epochs=4."
    ),
    click.option(
        "--pack", "pack_folder", type=click.Path(path_type=Path), help="Folder of packed faces, to share between runs."
    ),
)


def recipe_options(command: Command) -> Command:
    """Give a command ``recipe``, ``data_root``, ``weights``, ``changes`` and ``pack_folder``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen_settings(recipe: str, weights: str | None, changes: tuple[str, ...]) -> Settings:
    """The recipe with what the options change.

    Raises:
        RecipeError: It cannot be followed.
    """
    from maskcheck_export.settings import read_recipe

    return read_recipe(recipe, (*changes, f"network.weights='{weights}'") if weights else changes)
