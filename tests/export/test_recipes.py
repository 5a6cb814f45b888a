from __future__ import annotations

from pathlib import Path

import pytest

from maskcheck_export.errors import RecipeError
from maskcheck_export.recipes.reading import read_recipe


def test_the_recipe_of_the_seed_is_that_of_its_tutorial() -> None:
    seed = read_recipe("recipes/seed.toml")

    head, everything = seed.stages.head, seed.stages.all
    assert (head.epochs, head.optimizer, head.learning_rate) == (25, "adam", 1e-3)
    assert (everything.epochs, everything.optimizer, everything.learning_rate) == (10, "sgd", 1e-3)
    assert (everything.momentum, everything.nesterov) == (0.9, True)
    assert (seed.training.batch_size, seed.split.by, seed.split.test, seed.seed) == (32, "faces", 0.25, 42)


def test_the_default_recipe_learns_three_labels() -> None:
    assert read_recipe("default").labels == ("with_mask", "without_mask", "mask_worn_incorrectly")


def test_changes_replace_values_of_any_table() -> None:
    settings = read_recipe("seed", ["stages.all.epochs=2", "network.weights=body.weights.h5", "data=[{path='mine'}]"])

    assert settings.stages.all.epochs == 2
    assert settings.stages.all.optimizer == "sgd"
    assert settings.network.weights == "body.weights.h5"
    assert [source.path for source in settings.data] == ["mine"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("network.depth=3", "network.depth: no such key"),
        ("network.dropout=1.5", r"network.dropout: .*less than 1, got 1.5"),
        ("stages.all.optimizer=rmsprop", "stages.all.optimizer: .*'adam' or 'sgd'"),
        ("labels=['with_mask']", "two different names"),
        ("split.validation=0", "need split.validation"),
        ("labels=['with_mask', 'without_mask']", "label_weights: expected with_mask, without_mask, got"),
        ("augmentation.masks.incorrect_label=hat", "paints hat, which is not in labels"),
        ("augmentation.masks.worn=0.9", "worn \\+ incorrect of 1 at most"),
        ("augmentation.far_size=[64, 8]", "the smallest side, then the largest"),
        ("stages", "expected key=value"),
        ("seed.x=1", "seed is not a table"),
    ],
)
def test_a_value_that_a_recipe_cannot_have_is_named(change: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        read_recipe("default", [change])


def test_a_broken_or_missing_recipe_is_an_error_that_names_the_recipes_of_the_package(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("labels = [")

    with pytest.raises(RecipeError, match="is not TOML"):
        read_recipe(broken)
    with pytest.raises(RecipeError, match=r"recipes/default\.toml, recipes/seed\.toml"):
        read_recipe(tmp_path / "absent.toml")
