"""The commit of the code that trained or converted a model."""

from __future__ import annotations

import subprocess
from pathlib import Path

from maskcheck import __version__


def code_commit() -> str:
    """The commit of the working tree that this code runs from, with ``-dirty`` if the tree has changes.

    An installed copy has no working tree: its version is returned.
    """
    here = Path(__file__).resolve()
    try:
        # If another repository holds this copy, in a virtual environment say, it does not track this file.
        _git(here.parent, "ls-files", "--error-unmatch", here.name)
        return _git(here.parent, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        return f"release {__version__}"


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
