from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from maskcheck_export.data.samples import Sample
from maskcheck_export.data.split import Parts
from maskcheck_export.errors import DataError, RecipeError
from maskcheck_export.runs import Run
from maskcheck_export.settings import Settings, read_recipe
from maskcheck_export.tuning.report import write_report
from maskcheck_export.tuning.search import search
from maskcheck_export.tuning.space import Space, read_space

SETTINGS = read_recipe("default")


class FakeTrainer:
    """Its validation loss is least at a dropout of 0.4; the learning rate does not matter."""

    def __init__(self, kill_at: int | None = None, fail: Callable[[Settings], bool] = lambda _: False) -> None:
        self.asked: list[Settings] = []
        self._kill_at, self._fail = kill_at, fail

    def __call__(
        self,
        samples: Sequence[Sample],  # noqa: ARG002
        settings: Settings,
        folder: Path,
        *,
        pack_folder: Path | None,  # noqa: ARG002
        report: Callable[[str], None],  # noqa: ARG002
        verbose: str | int,  # noqa: ARG002
    ) -> Run:
        self.asked.append(settings)
        if len(self.asked) == self._kill_at:
            raise KeyboardInterrupt
        if self._fail(settings):
            raise DataError("no such luck")
        folder.mkdir(parents=True)
        for name in ("model.keras", "run.json", "checkpoint-1.weights.h5"):
            (folder / name).write_text("large")
        loss = 0.1 + (settings.network.dropout - 0.4) ** 2
        return Run(folder, settings, Parts((), (), ()), "", "", 1.0, loss, {"the test part": "is not read"}, {})


@pytest.fixture
def space(tmp_path: Path) -> Space:
    path = tmp_path / "space.toml"
    path.write_text(
        '"network.dropout" = { low = 0.0, high = 0.8 }\n'
        '"stages.all.learning_rate" = { low = 1e-5, high = 1e-3, log = true }\n'
    )
    return read_space(path, SETTINGS)


def look(folder: Path, space: Space, trainer: FakeTrainer, trials: int) -> object:
    return search((), SETTINGS, space, folder, train=trainer, trials=trials, report=lambda _: None)


def test_a_search_finds_what_matters_and_writes_the_best_recipe(tmp_path: Path, space: Space) -> None:
    folder = tmp_path / "study"
    study = search((), SETTINGS, space, folder, train=FakeTrainer(), trials=25, report=lambda _: None)

    page = write_report(study, SETTINGS, space, folder)

    best = read_recipe(folder / "best.toml")
    assert best.network.dropout == pytest.approx(0.4, abs=0.1)
    assert best.model_copy(update={"network": SETTINGS.network, "stages": SETTINGS.stages}) == SETTINGS
    figures = json.loads((folder / "report.json").read_text())
    assert len(figures["trials"]) == 25
    assert figures["importances"]["network.dropout"] > 0.8
    assert "`network.dropout`" in page.read_text()
    assert all((folder / "plots" / name).stat().st_size for name in ("history.png", "values.png"))


def test_only_the_best_trial_keeps_its_model(tmp_path: Path, space: Space) -> None:
    study = search((), SETTINGS, space, tmp_path / "s", train=FakeTrainer(), trials=5, report=lambda _: None)

    models = [path.parent.name for path in (tmp_path / "s" / "trials").glob("*/model.keras")]
    assert models == [f"{study.best_trial.number:04}"]
    assert len(list((tmp_path / "s" / "trials").glob("*/run.json"))) == 5


def test_a_search_goes_on_until_the_budget_counting_what_was_done(tmp_path: Path, space: Space) -> None:
    first, second = FakeTrainer(), FakeTrainer()

    look(tmp_path / "s", space, first, trials=3)
    look(tmp_path / "s", space, second, trials=5)

    assert (len(first.asked), len(second.asked)) == (3, 2)
    rates = [settings.stages.all.learning_rate for settings in first.asked + second.asked]
    assert len(set(rates)) == 5


def test_a_trial_that_was_killed_is_tried_again(tmp_path: Path, space: Space) -> None:
    killed = FakeTrainer(kill_at=3)
    with pytest.raises(KeyboardInterrupt):
        look(tmp_path / "s", space, killed, trials=4)
    again = FakeTrainer()

    look(tmp_path / "s", space, again, trials=4)

    assert len(again.asked) == 2
    assert again.asked[0] == killed.asked[2]


def test_time_bounds_a_search(tmp_path: Path, space: Space) -> None:
    trainer = FakeTrainer()
    seconds = iter(range(0, 10_000, 50))

    search(
        *((), SETTINGS, space, tmp_path / "s"),
        train=trainer,
        minutes=2.0,
        report=lambda _: None,
        clock=lambda: next(seconds),
    )

    assert len(trainer.asked) == 2  # at 50 and 100 seconds


def test_a_failed_trial_is_kept_with_its_reason_and_the_search_goes_on(tmp_path: Path, space: Space) -> None:
    trainer = FakeTrainer(fail=lambda settings: settings.network.dropout > 0.4)

    study = search((), SETTINGS, space, tmp_path / "s", train=trainer, trials=8, report=lambda _: None)

    assert len(trainer.asked) == 8
    write_report(study, SETTINGS, space, tmp_path / "s")
    assert "no such luck" in (tmp_path / "s" / "report.md").read_text()
    with pytest.raises(DataError, match="no trial has finished: no such luck"):
        look(tmp_path / "other", space, FakeTrainer(fail=lambda _: True), trials=2)


def test_a_study_of_another_recipe_is_refused(tmp_path: Path, space: Space) -> None:
    look(tmp_path / "s", space, FakeTrainer(), trials=1)

    with pytest.raises(RecipeError, match="a study of another recipe"):
        search((), read_recipe("default", ["seed=1"]), space, tmp_path / "s", train=FakeTrainer(), trials=2)
    with pytest.raises(RecipeError, match="needs validation faces"):
        search((), read_recipe("seed"), space, tmp_path / "s", train=FakeTrainer(), trials=2)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('"network.depth" = { low = 1, high = 2 }', "no such key in a recipe: network.depth"),
        ('"network.dropout" = { low = 0.5, high = 0.1 }', "low below high"),
        ('"network.dropout" = { low = 0.5, high = 1.5 }', "network.dropout = 1.5"),
        ('"training.batch_size" = { choices = [16] }', "choices"),
        ("", "no key to search"),
        ("= 1", "is not TOML"),
    ],
)
def test_a_space_that_the_recipe_cannot_fill_is_an_error(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "space.toml").write_text(line)

    with pytest.raises(RecipeError, match=message):
        read_space(tmp_path / "space.toml", SETTINGS)


def test_the_space_that_comes_along_fits_the_default_recipe() -> None:
    assert "stages.all.learning_rate" in read_space("recipes/space.toml", SETTINGS)
