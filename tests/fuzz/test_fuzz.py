"""The fuzzer itself: it counts outcomes, reports faults, and makes the same inputs again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import watched_workers
from model_mutations import mutated_model
from picture_mutations import mutated_picture
from watched_workers import TOO_SLOW, Prepared, Workers

SCRIPT = Path(__file__).with_name("fuzz.py")


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, encoding="utf-8", check=False
    )


@pytest.mark.parametrize(("what", "count"), [("pictures", 200), ("models", 20)])
def test_a_short_run_finds_no_fault(what: str, count: int) -> None:
    run = fuzz(what, "--count", str(count), "--seed", "1")
    assert f"{count} {what}, seed 1," in run.stdout, run.stdout + run.stderr
    assert run.returncode == 0, run.stdout + run.stderr


def test_an_input_depends_only_on_seed_and_number() -> None:
    assert mutated_picture(3, 17)[1] == mutated_picture(3, 17)[1]
    assert mutated_picture(3, 17)[1] != mutated_picture(3, 18)[1]
    assert mutated_picture(3, 17)[1] != mutated_picture(4, 17)[1]
    assert mutated_model(3, 17) == mutated_model(3, 17)


def misbehave(index: int) -> Prepared:
    """An input that raises, crashes, hangs or exits, by its number."""

    def run() -> str:
        match index:
            case 1:
                raise KeyError("an exception")
            case 2:
                os._exit(3)
            case 3:
                time.sleep(3600)  # until it is killed
            case 4:
                sys.exit(0)
        return "fine"

    return Prepared(f"kind {index}", run)


def test_exceptions_crashes_and_hangs_are_reported_and_other_inputs_still_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_workers, "MAX_SECONDS", 0.2)
    outcomes = {outcome.index: outcome for outcome in Workers(misbehave, 2).run(iter(range(6)))}
    assert [outcomes[index].fault for index in range(6)] == [
        None,
        "KeyError outside MaskCheckError",
        "crash: exit status 3",
        TOO_SLOW,
        "SystemExit outside MaskCheckError",
        None,
    ]
    assert "an exception" in outcomes[1].detail
    assert outcomes[3].kind == "kind 3"
