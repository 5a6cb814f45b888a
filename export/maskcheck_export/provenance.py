"""Where a model comes from: the commit of the code that trained or converted it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from maskcheck import __version__


def code_commit() -> str:
    """Commit of the working tree that this code runs from, with ``-dirty`` if it was changed since.

    An installed copy has no working tree; it is named by its version.
    """
    here = Path(__file__).resolve()
    try:
        # A copy inside somebody else's repository (a virtual environment, say) is not tracked there.
        _git(here.parent, "ls-files", "--error-unmatch", here.name)
        return _git(here.parent, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        return f"release {__version__}"


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
