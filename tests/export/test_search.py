from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from click.testing import CliRunner
from drawn_faces import draw_folders

from maskcheck_export.commands import main
from maskcheck_export.data.samples import Sample
from maskcheck_export.data.split import Parts, split
from maskcheck_export.errors import DataError, RecipeError
from maskcheck_export.recipes.reading import read_recipe
from maskcheck_export.recipes.settings import Settings, Split
from maskcheck_export.runs import MODEL, RECORD, Run
from maskcheck_export.search.search_report import write_report
from maskcheck_export.search.space import Space, read_space
from maskcheck_export.search.study import STUDY, search

SETTINGS = read_recipe("default")
CHECKPOINT = "checkpoint-1.weights.h5"


def faces(count: int = 90) -> list[Sample]:
    return [
        Sample(Path(f"{n}.png"), (0, 0, 64, 64), SETTINGS.labels[n % 3], "faces", f"picture {n}", whole=True)
        for n in range(count)
    ]


class Unread(Mapping[str, Any]):
    """Figures that must not be read."""

    def __getitem__(self, key: str) -> Any:
        raise AssertionError(f"the figures of the test faces were read: {key}")

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("the figures of the test faces were read")

    def __len__(self) -> int:
        raise AssertionError("the figures of the test faces were read")


def bowl(settings: Settings) -> float:
    """Least at a dropout of 0.4; the learning rate does not matter."""
    return 0.1 + (settings.network.dropout - 0.4) ** 2


class FakeTrainer:
    """Writes files as a training does, with a validation loss.

    Args:
        loss: The validation loss by recipe.
        kill_at: From this call on, the process ends in the middle of the training.
        fail: The error of a recipe in the middle of the training, or None.
    """

    def __init__(
        self,
        loss: Callable[[Settings], float] = bowl,
        kill_at: float = math.inf,
        fail: Callable[[Settings], Exception | None] = lambda _: None,
    ) -> None:
        self.asked: list[Settings] = []
        self.folders: list[Path] = []
        self.resumed: list[bool] = []
        self.packs: set[Path | None] = set()
        self.seen: set[Sample] = set()
        self._loss, self._kill_at, self._fail = loss, kill_at, fail

    def __call__(
        self,
        samples: Sequence[Sample],
        settings: Settings,
        folder: Path,
        *,
        resume: bool,
        pack_folder: Path | None,
        report: Callable[[str], None],  # noqa: ARG002
        verbose: str | int,  # noqa: ARG002
    ) -> Run:
        self.asked.append(settings)
        self.folders.append(folder)
        self.resumed.append(resume)
        self.packs.add(pack_folder)
        self.seen |= set(samples)
        folder.mkdir(parents=True, exist_ok=resume)
        (folder / CHECKPOINT).write_text("large")
        if len(self.asked) >= self._kill_at:
            raise KeyboardInterrupt
        if error := self._fail(settings):
            raise error
        (folder / MODEL).write_text("large")
        run = Run(folder, settings, Parts((), (), ()), "", "", 1.0, self._loss(settings), {}, {})
        run.save()
        return Run(folder, settings, Parts((), (), ()), "", "", 1.0, run.validation_loss, Unread(), {})


@pytest.fixture
def space(tmp_path: Path) -> Space:
    path = tmp_path / "space.toml"
    path.write_text(
        '"network.dropout" = { low = 0.0, high = 0.8 }\n'
        '"stages.all.learning_rate" = { low = 1e-5, high = 1e-3, log = true }\n'
    )
    return read_space(path, SETTINGS)


def look(folder: Path, space: Space, trainer: FakeTrainer, trials: int | None = None, **options: Any) -> optuna.Study:
    return search(
        faces(), SETTINGS, space, folder, train=trainer, trials=trials, **({"report": lambda _: None} | options)
    )


def test_a_search_finds_what_matters_and_writes_the_best_recipe(tmp_path: Path, space: Space) -> None:
    folder = tmp_path / "study"
    study = look(folder, space, FakeTrainer(), trials=25)

    page = write_report(study, SETTINGS, space, folder)

    best = read_recipe(folder / "best.toml")
    assert best.network.dropout == pytest.approx(0.4, abs=0.1)
    assert best.model_copy(update={"network": SETTINGS.network, "stages": SETTINGS.stages}) == SETTINGS
    figures = json.loads((folder / "report.json").read_text())
    assert (len(figures["trials"]), figures["finished"], figures["failed"]) == (25, 25, 0)
    assert figures["importances"]["network.dropout"] > 0.8
    text = page.read_text()
    assert f"| `network.dropout` | 0.3 | {best.network.dropout:.4g} | " in text
    assert "Validation faces: faces: " in text
    assert "with care" not in text
    for name in ("history.png", "values.png"):
        assert (folder / "plots" / name).read_bytes().startswith(b"\x89PNG")
        assert f"plots/{name}" in text


def test_a_report_of_few_trials_warns(tmp_path: Path, space: Space) -> None:
    page = write_report(look(tmp_path, space, FakeTrainer(), trials=1), SETTINGS, space, tmp_path)

    assert "2 keys need 8 finished trials or more" in page.read_text()
    assert "unknown" in page.read_text()


def test_the_trainer_never_gets_a_test_face_and_no_figure_of_one_is_read(tmp_path: Path, space: Space) -> None:
    trainer = FakeTrainer()
    write_report(look(tmp_path, space, trainer, trials=3), SETTINGS, space, tmp_path)

    parts = split(faces(), Split(by="groups", test=0.2, validation=0.1), seed=SETTINGS.seed)
    assert trainer.seen == {*parts.training, *parts.validation}
    for settings in trainer.asked:
        again = split(sorted(trainer.seen, key=lambda face: face.group), settings.split, settings.seed)
        assert (again.training, again.validation) == (parts.training, parts.validation)
    assert read_recipe(tmp_path / "best.toml").split == SETTINGS.split


def test_trials_share_one_pack(tmp_path: Path, space: Space) -> None:
    trainer = FakeTrainer()
    look(tmp_path / "s", space, trainer, trials=2)
    assert trainer.packs == {tmp_path / "s" / "pack"}

    other = FakeTrainer()
    look(tmp_path / "t", space, other, trials=2, pack_folder=tmp_path / "shared")
    assert other.packs == {tmp_path / "shared"}


def test_only_the_best_trial_keeps_its_model_and_failed_ones_no_checkpoint(tmp_path: Path, space: Space) -> None:
    trainer = FakeTrainer(fail=lambda settings: MemoryError() if settings.network.dropout > 0.5 else None)
    trials = tmp_path / "trials"
    trials.mkdir()
    (trials / ".DS_Store").write_text("a file manager's")

    study = look(tmp_path, space, trainer, trials=10)

    large = {path.parent.name for pattern in ("*.keras", "*.h5") for path in trials.glob(f"*/{pattern}")}
    assert large == {f"{study.best_trial.number:04}"}
    done = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]
    assert 1 < len(done) < 10
    assert len(list(trials.glob(f"*/{RECORD}"))) == len(done)


def test_a_search_goes_on_until_its_budget_with_the_trials_of_earlier_calls(tmp_path: Path, space: Space) -> None:
    first, second, third = FakeTrainer(), FakeTrainer(), FakeTrainer()

    look(tmp_path, space, first, trials=3)
    look(tmp_path, space, second, trials=5)
    study = look(tmp_path, space, third, trials=5)

    assert (len(first.asked), len(second.asked), len(third.asked)) == (3, 2, 0)
    rates = [settings.stages.all.learning_rate for settings in first.asked + second.asked]
    assert len(set(rates)) == 5
    assert [trial.params["stages.all.learning_rate"] for trial in study.trials] == rates


def test_a_killed_trial_goes_on_in_its_folder(tmp_path: Path, space: Space) -> None:
    killed = FakeTrainer(kill_at=3)
    with pytest.raises(KeyboardInterrupt):
        look(tmp_path, space, killed, trials=4)
    again = FakeTrainer()

    study = look(tmp_path, space, again, trials=4)

    assert again.asked[0] == killed.asked[2]
    assert again.folders[0] == killed.folders[2]
    assert again.resumed == [True, False]
    figures = json.loads((write_report(study, SETTINGS, space, tmp_path).parent / "report.json").read_text())
    assert (figures["finished"], figures["failed"]) == (4, 0)
    assert [trial["folder"] for trial in figures["trials"]] == [
        f"trials/{folder.name}" for folder in (*killed.folders, *again.folders[1:])
    ]


def test_a_training_that_finished_before_the_kill_is_not_done_again(tmp_path: Path, space: Space) -> None:
    class KilledAfter(FakeTrainer):
        def __call__(self, *arguments: Any, **options: Any) -> Run:
            super().__call__(*arguments, **options)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look(tmp_path, space, killed := KilledAfter(), trials=1)
    again = FakeTrainer()

    study = look(tmp_path, space, again, trials=1)

    assert again.asked == []
    assert study.best_value == pytest.approx(bowl(killed.asked[0]))


def test_a_trial_that_gets_the_process_killed_each_time_is_given_up(tmp_path: Path, space: Space) -> None:
    asked = []
    for _ in range(3):
        killed = FakeTrainer(kill_at=1)
        with pytest.raises(KeyboardInterrupt):
            look(tmp_path, space, killed, trials=2)
        asked += killed.asked
    assert asked[0] == asked[1] == asked[2]
    trainer = FakeTrainer()

    study = look(tmp_path, space, trainer, trials=2)

    assert len(trainer.asked) == 1
    assert trainer.asked[0] != asked[0]
    assert "stopped 3 times" in write_report(study, SETTINGS, space, tmp_path).read_text()


def test_time_bounds_a_search(tmp_path: Path, space: Space) -> None:
    trainer = FakeTrainer()
    seconds = iter(range(0, 10_000, 50))

    look(tmp_path, space, trainer, minutes=2.0, clock=lambda: next(seconds))

    assert len(trainer.asked) == 2  # at 50 and 100 seconds


def test_a_failed_trial_is_kept_with_its_reason_and_the_search_goes_on(tmp_path: Path, space: Space) -> None:
    lines: list[str] = []
    trainer = FakeTrainer(
        fail=lambda settings: DataError("no such | luck\nat all") if settings.network.dropout > 0.4 else None
    )

    study = look(tmp_path, space, trainer, trials=8, report=lines.append)

    assert len(trainer.asked) == 8
    assert "| no such \\| luck at all |" in write_report(study, SETTINGS, space, tmp_path).read_text()
    assert any("failed: no such | luck" in line for line in lines)


def test_a_training_that_diverges_is_a_failed_trial(tmp_path: Path, space: Space) -> None:
    trainer = FakeTrainer(loss=lambda settings: math.nan if settings.network.dropout > 0.4 else bowl(settings))

    study = look(tmp_path, space, trainer, trials=8)

    assert len(trainer.asked) == 8
    assert "the training diverged" in write_report(study, SETTINGS, space, tmp_path).read_text()


def test_a_search_whose_trials_all_fail_is_an_error(tmp_path: Path, space: Space) -> None:
    with pytest.raises(DataError, match="no trial has finished: no such luck"):
        look(tmp_path, space, FakeTrainer(fail=lambda _: DataError("no such luck")), trials=2)


def test_a_study_of_another_recipe_space_or_faces_is_refused_naming_what_differs(tmp_path: Path, space: Space) -> None:
    look(tmp_path, space, FakeTrainer(), trials=1)
    other = read_recipe("default", ["seed=1", "augmentation.masks.worn=0.1"])
    wider = {**space, "network.dropout": space["network.dropout"].model_copy(update={"high": 0.9})}

    with pytest.raises(RecipeError, match=r"recipe: seed was 42 and is 1; augmentation.masks.worn was 0.2 and is 0.1;"):
        search(faces(), other, space, tmp_path, train=FakeTrainer(), trials=2)
    with pytest.raises(RecipeError, match=r"another space: network.dropout.high was 0.8 and is 0.9;"):
        look(tmp_path, wider, FakeTrainer(), trials=2)
    with pytest.raises(RecipeError, match=r"another set of validation faces: it was faces: .* and is faces: "):
        search(faces(180), SETTINGS, space, tmp_path, train=FakeTrainer(), trials=2)


def test_a_recipe_without_validation_faces_is_refused(tmp_path: Path, space: Space) -> None:
    with pytest.raises(RecipeError, match="needs validation faces"):
        search(faces(), read_recipe("seed"), space, tmp_path, train=FakeTrainer(), trials=2)


def test_a_damaged_study_is_an_error(tmp_path: Path, space: Space) -> None:
    (tmp_path / STUDY).write_text("not a database " * 100)

    with pytest.raises(DataError, match="cannot be read as a study"):
        look(tmp_path, space, FakeTrainer(), trials=1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('"network.depth" = { low = 1, high = 2 }', "network.depth: no such key"),
        ('"network.dropout" = { low = 0.5, high = 0.1 }', "low below high"),
        ('"network.dropout" = { low = 0.5, high = 1.5 }', "network.dropout = 1.5"),
        ('"training.batch_size" = { choices = [16] }', "choices"),
        ('"seed" = { low = 1, high = 9 }', "seed decides which faces are measured"),
        ('"split.validation" = { low = 0.1, high = 0.3 }', "split.validation decides which faces are measured"),
        ("", "no key to search"),
        ("= 1", "is not TOML"),
    ],
)
def test_a_space_that_the_recipe_cannot_fill_is_an_error(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "space.toml").write_text(line)

    with pytest.raises(RecipeError, match=message):
        read_space(tmp_path / "space.toml", SETTINGS)


def test_the_space_of_the_package_fits_the_default_recipe() -> None:
    assert "stages.all.learning_rate" in read_space("recipes/space.toml", SETTINGS)


def test_the_command_prints_the_path_of_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = FakeTrainer()
    monkeypatch.setitem(sys.modules, "maskcheck_export.training.training", SimpleNamespace(train=trainer))
    draw_folders(tmp_path / "seed", 40)
    (tmp_path / "space.toml").write_text('"network.dropout" = { low = 0.1, high = 0.7 }')
    folder = tmp_path / "study"
    arguments = ["tune", "recipes/seed.toml", "--data-root", str(tmp_path), "--study", str(folder)]
    changes = ("--set", "split.validation=0.2", "--weights", "none", "--space", str(tmp_path / "space.toml"))

    endless = CliRunner().invoke(main, arguments)
    result = CliRunner().invoke(main, [*arguments, *changes, "--trials", "2"])

    assert endless.exit_code == 2
    assert "--trials, --minutes or both" in endless.output
    assert result.exit_code == 0, result.output
    assert f"report: {folder / 'report.md'}" in result.stdout
    assert "trial 1: network.dropout" in (folder / "tuning.log").read_text()
    assert {settings.network.weights for settings in trainer.asked} == {"none"}
    assert read_recipe(folder / "best.toml").split.validation == 0.2
