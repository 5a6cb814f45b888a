"""The command runs without the modules and functions that some systems lack; this is simulated here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

WITHOUT = """
import os, sys

for module in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[module] = None
for name in ("fork", "geteuid", "getuid", "register_at_fork", "sched_getaffinity", "sched_setaffinity"):
    vars(os).pop(name, None)
for name in ("O_CLOEXEC", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK"):
    vars(os).pop(name, None)

from maskcheck.commands import main

main()
"""
"""Runs the command in a Python that has only what exists on every system."""


def run(arguments: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT, *arguments]
    environment = {**os.environ, **environment}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=300)


def test_the_command_runs_without_what_only_some_systems_have(portrait: Path, tmp_path: Path) -> None:
    done = run(["detect", str(portrait), "--output", "out"], tmp_path)

    assert done.returncode == 0, done.stderr
    (line,) = (tmp_path / "out" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["faces"]


def test_file_names_beyond_ascii_work_in_an_ascii_locale(portrait: Path, tmp_path: Path) -> None:
    (tmp_path / "Grüße 顔.jpg").write_bytes(portrait.read_bytes())

    done = run(["detect", ".", "--output", "out"], tmp_path, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")

    assert done.returncode == 0, done.stderr
    (line,) = (tmp_path / "out" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["faces"]
