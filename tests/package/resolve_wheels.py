"""Print for which platforms and Python versions pip finds all wheels that maskcheck and its extra `cpu` need.

Usage: python tests/package/resolve_wheels.py

Nothing is installed and no package is downloaded: pip resolves for that platform, from wheels alone, and gives the
reason where it fails. Prints a Markdown table.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LINUX = ("2_17", "2_24", "2_26", "2_27", "2_28", "2_31", "2_34", "2_35")
"""All manylinux versions of wheels. pip matches tags literally, so that each version has to be named."""


def linux(machine: str) -> tuple[str, ...]:
    """Tags of wheels that run on Linux with glibc 2.35 (Ubuntu 22.04) or newer."""
    return (f"manylinux2014_{machine}", *(f"manylinux_{version}_{machine}" for version in LINUX))


PLATFORMS = {
    "Linux x86_64": linux("x86_64"),
    "Linux aarch64": linux("aarch64"),
    # pip takes a macOS tag as "this version or older".
    "macOS 14 arm64": ("macosx_14_0_arm64",),
    "macOS 13 arm64": ("macosx_13_0_arm64",),
    "macOS 13 x86_64": ("macosx_13_0_x86_64",),
    "Windows x86_64": ("win_amd64",),
    "Windows arm64": ("win_arm64",),
}
SHOWN = ("onnxruntime", "opencv-python", "numpy")


def main() -> None:
    """Resolve for every platform and Python, and print the table."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["cpu"]]
    reasons: list[str] = []
    print(f"Versions of {', '.join(SHOWN)}; — where pip finds no set of wheels.\n")
    print(f"| Platform | {' | '.join(PYTHONS)} |\n| --- |{' --- |' * len(PYTHONS)}")
    for name, tags in PLATFORMS.items():
        cells = []
        for python in PYTHONS:
            versions, reason = resolve(wanted, tags, python)
            cells.append(", ".join(versions[shown] for shown in SHOWN) if versions else "—")
            if reason:
                reasons.append(f"- {name}, Python {python}: {reason}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    if reasons:
        print("\n" + "\n".join(reasons))


def resolve(wanted: list[str], tags: tuple[str, ...], python: str) -> tuple[dict[str, str], str]:
    """The versions that pip would install there, or the reason why it finds none."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--dry-run"]
        command += ["--ignore-installed", "--only-binary", ":all:", "--target", folder, "--report", str(report)]
        command += ["--implementation", "cp", "--python-version", python]
        command += [option for tag in tags for option in ("--platform", tag)]
        done = subprocess.run([*command, *wanted], capture_output=True, encoding="utf-8", check=False)
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
            return {}, errors[-1].removeprefix("ERROR: ") if errors else done.stderr.strip()
        installed = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {item["metadata"]["name"].lower(): item["metadata"]["version"] for item in installed}, ""


if __name__ == "__main__":
    main()
