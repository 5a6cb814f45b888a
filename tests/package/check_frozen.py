"""Freeze programs with PyInstaller, as its users do, and check that they behave as before.

Usage: python tests/package/check_frozen.py WORKPLACE

It needs an environment with maskcheck, a runtime, PyInstaller and the detector plugins. The frozen programs are moved
to another folder and started with the environment variables of the system alone. Prints their sizes and times.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PyInstaller.archive.readers import CArchiveReader

ROOT = Path(__file__).resolve().parents[2]
EMBED = ROOT / "examples" / "embed.py"
COMMAND = Path(__file__).with_name("frozen_command.py")
PICTURE = ROOT / "examples" / "astronaut.jpg"
DETECTORS = ("haar", "centerface", "skin")
UNWANTED = {"faster_coco_eval", "imageio", "matplotlib", "pytest", "scipy", "skimage", "supervision", "tensorflow"}
"""Packages that plugins or tests install, and that no frozen program needs."""
RUNS = 3


def main(workplace: Path) -> None:
    """Freeze the programs, run them, compare their output, print a table."""
    shutil.rmtree(workplace, ignore_errors=True)
    folder = workplace / "elsewhere"
    folder.mkdir(parents=True)
    picture = str(shutil.copy(PICTURE, folder))
    python = [sys.executable]

    plain, plain_seconds = timed([*python, str(EMBED), picture], folder)
    rows: list[tuple[str, float | None, float]] = [("embed.py, not frozen", None, plain_seconds)]
    for mode in ("onedir", "onefile"):
        program, size = freeze(EMBED, mode, workplace)
        annotated = folder / "annotated.jpg"
        expected_picture = annotated.read_bytes()
        annotated.unlink()
        frozen, seconds = timed([program, picture], folder)
        assert frozen == plain, f"{mode}: expected {plain!r}, got {frozen!r}"
        assert annotated.read_bytes() == expected_picture, f"{mode}: the annotated picture differs"
        rows.append((f"embed.py, --{mode}", size, seconds))

    program, size = freeze(COMMAND, "onedir", workplace)
    rows.append(("the command with plugins, --onedir", size, timed([program, "--version"], folder)[1]))
    for name in DETECTORS:
        arguments = ["detect", picture, "--detector", name, "--json", "-"]
        expected, got = (faces(run([*how, *arguments], folder)) for how in ([*python, str(COMMAND)], [program]))
        assert expected, f"{name} finds no face in {PICTURE.name}: nothing to compare"
        assert got == expected, f"{name}: expected {expected}, got {got}"
    doctor = run([program, "doctor"], folder)
    assert all(f"detector {name}" in doctor for name in DETECTORS), doctor

    print(f"| program | MB | seconds for one picture (median of {RUNS}) |\n| --- | --- | --- |")
    for name, megabytes, seconds in rows:
        print(f"| {name} | {'' if megabytes is None else f'{megabytes:.0f}'} | {seconds:.1f} |")


def freeze(source: Path, mode: str, workplace: Path) -> tuple[str, float]:
    """Freeze a program and move it to another folder: its path, and its size in MB."""
    name = f"{source.stem}-{mode}"
    built = workplace / "built"
    options = ["--name", name, "--distpath", str(built), "--workpath", str(workplace / "work")]
    command = [sys.executable, "-m", "PyInstaller", "--log-level", "ERROR", "--noconfirm", "--specpath", str(workplace)]
    subprocess.run([*command, f"--{mode}", *options, str(source)], check=True)
    moved = workplace / "elsewhere" / "programs"
    moved.mkdir(exist_ok=True)
    suffix = ".exe" if sys.platform == "win32" else ""
    if mode == "onefile":
        program = Path(shutil.move(built / f"{name}{suffix}", moved))
        size = program.stat().st_size
    else:
        folder = Path(shutil.move(built / name, moved))
        program = folder / f"{name}{suffix}"
        files = [file for file in folder.rglob("*") if file.is_file() and not file.is_symlink()]
        size = sum(file.stat().st_size for file in files)
    modules = CArchiveReader(str(program)).open_embedded_archive("PYZ.pyz").toc
    unwanted = UNWANTED & {module.partition(".")[0] for module in modules}
    assert not unwanted, f"{name} contains packages that it does not need: {', '.join(sorted(unwanted))}"
    return str(program), size / 1e6


def run(command: Sequence[str], folder: Path) -> str:
    """Run a program, which must succeed, with the environment variables of the system alone: what it prints."""
    kept = ("SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {"HOME": str(folder), "PATH": os.defpath, "ORT_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, encoding="utf-8"
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stdout}"
    return done.stdout


def timed(command: Sequence[str], folder: Path) -> tuple[str, float]:
    """What a program prints, and its median time in seconds once its files are in the disk cache."""
    output = run(command, folder)
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        assert run(command, folder) == output
        seconds.append(time.perf_counter() - start)
    return output, statistics.median(seconds)


def faces(lines: str) -> list[dict[str, Any]]:
    """The faces of all lines of JSON."""
    return [face for line in lines.splitlines() for face in json.loads(line)["faces"]]


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
