"""The tuned choices: for each model, the fastest way to run it that ``maskcheck doctor --tune`` found on this machine.

They are in one JSON file, in the user's configuration folder or in the folder that the environment variable
``MASKCHECK_CONFIG_DIR`` names. For each model (by SHA-256) it has a choice and the conditions under which it was
measured. A choice is settings only, and never names another model file. A file that other users may write is ignored.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from maskcheck.classifier.model import hash_model
from maskcheck.errors import ModelError
from maskcheck.runtime.config import MOST_THREADS
from maskcheck.runtime.cpu import cpu_features, cpu_name, int8_features
from maskcheck.runtime.installed import installed_runtimes
from maskcheck.runtime.precision import Precision
from maskcheck.texts import shortened

MOST_BATCH_SIZE = 1024
"""Largest batch size. Memory grows with it, by megabytes a face, and beyond some tens of faces nothing is gained."""

NO_FOLDER = "the home folder of this user is not known; set HOME, or name a folder by MASKCHECK_CONFIG_DIR"
"""Why there are no tuned choices if :func:`choices_file` gives None."""

_SCHEMA = "maskcheck-tuned/2"
_LARGEST_FILE = 1_000_000  # bytes
_TUNE_AGAIN = "`maskcheck doctor --tune` makes a new one"


@dataclass(frozen=True)
class TunedChoice:
    """The fastest way to run a model on one machine.

    Attributes:
        provider: Execution provider.
        precision: Precision of the session.
        threads: Threads of the session.
        batch_size: Most faces in one run.

    Raises:
        ValueError: A value that no choice can have.
    """

    provider: str
    precision: Precision
    threads: int
    batch_size: int

    def __post_init__(self) -> None:
        if not isinstance(self.provider, str) or self.precision not in get_args(Precision):
            raise ValueError(f"expected names of a provider and a precision, got {shortened(self)}")
        for name, most in (("threads", MOST_THREADS), ("batch_size", MOST_BATCH_SIZE)):
            number = getattr(self, name)
            if type(number) is not int or not 1 <= number <= most:
                raise ValueError(f"{name}: expected 1 to {most}, got {shortened(number)}")

    def __str__(self) -> str:
        return f"{self.precision}, on {self.provider}, {self.threads} threads, batches of {self.batch_size}"


def choices_file() -> Path | None:
    """The file with the tuned choices, which need not exist.

    None if the user has no home folder, as in many containers, and ``MASKCHECK_CONFIG_DIR`` is not set.
    """
    folder = os.environ.get("MASKCHECK_CONFIG_DIR")
    if folder:
        return Path(folder) / "tuned.json"
    from platformdirs import user_config_dir

    try:
        folder = user_config_dir("maskcheck", appauthor=False)
    except (RuntimeError, KeyError, OSError):  # HOME is not set, and the system does not know the user
        return None
    config_home, home = os.environ.get("XDG_CONFIG_HOME"), os.environ.get("HOME")
    homeless = sys.platform not in ("win32", "darwin") and not config_home and home == ""
    return None if homeless or not Path(folder).is_absolute() else Path(folder) / "tuned.json"


def find_choice(path: Path) -> tuple[TunedChoice | None, str]:
    """The tuned choice for a model on this machine.

    Returns:
        The choice, or None; and why the stored choice is ignored, which is empty if there is none.
    """
    file = choices_file()
    if file is None:
        return None, ""
    try:
        entries = _read(file)
    except FileNotFoundError:
        return None, ""
    except _UnsafeFile as error:
        return None, f"the tuned choices in {file} are ignored: {error}"
    except (OSError, ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else shortened(str(error))
        return None, f"the tuned choices in {file} cannot be read, and are ignored: {reason}; {_TUNE_AGAIN}"
    try:
        entry = entries.get(hash_model(path))
    except ModelError:  # the same error comes when the model is loaded
        return None, ""
    if entry is None:
        return None, ""
    ignored = f"the tuned choice for {path.name} in {file} is ignored"
    try:
        conditions, choice = dict(entry["machine"]), TunedChoice(**entry["choice"])
    except (KeyError, TypeError, ValueError) as error:
        return None, f"{ignored}: it is damaged ({type(error).__name__}: {shortened(str(error))}); {_TUNE_AGAIN}"
    changed = [name for name, value in _conditions().items() if conditions.get(name) != value]
    if changed:
        return None, f"{ignored}: it was made with another {' and another '.join(changed)}; {_TUNE_AGAIN}"
    return choice, ""


def save_choice(path: Path, choice: TunedChoice) -> Path:
    """Save the choice for a model; those for other models stay.

    Args:
        path: The model file.
        choice: What was found on this machine.

    Returns:
        The file that was written.

    Raises:
        OSError: It cannot be written, or the user has no configuration folder.
    """
    file = choices_file()
    if file is None:
        raise OSError(f"no folder for the choice: {NO_FOLDER}")
    try:
        entries = _read(file)
    except (OSError, ValueError, RecursionError):  # missing, damaged or unsafe: start anew
        entries = {}
    entries[hash_model(path)] = {"machine": _conditions(), "choice": asdict(choice)}
    file.parent.mkdir(parents=True, exist_ok=True)
    # Another process may read the file now, so it is replaced as a whole. Only this user may write it.
    new_file = file.with_name(f"{file.name}.{os.getpid()}")
    new_file.unlink(missing_ok=True)
    with os.fdopen(os.open(new_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as target:
        json.dump({"schema": _SCHEMA, "choices": entries}, target, indent=2)
    new_file.replace(file)
    return file


def _conditions() -> dict[str, Any]:
    """What a choice depends on, besides the model; JSON-ready."""
    try:
        features = cpu_features()
    except (ImportError, AttributeError):  # OpenCV is missing or damaged; the doctor must run without it
        features = []
    return {"runtime": installed_runtimes(), "CPU": cpu_name(), "CPU features": [*int8_features(), *features]}


class _UnsafeFile(ValueError):
    """Another user may have written the file."""


def _read(file: Path) -> dict[str, Any]:
    # O_NONBLOCK: opening a named pipe must not wait.
    opened = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(opened, "rb") as source:
        state = os.fstat(opened)
        if not stat.S_ISREG(state.st_mode):
            raise ValueError("expected a regular file")
        _check_owner(state, file)
        text = source.read(_LARGEST_FILE + 1)
    if len(text) > _LARGEST_FILE:
        raise ValueError(f"expected at most {_LARGEST_FILE:,} bytes")
    content = json.loads(text.decode())
    if not isinstance(content, dict) or content.get("schema") != _SCHEMA:
        raise ValueError(f"expected JSON of the schema {_SCHEMA}")
    choices = content.get("choices")
    if not isinstance(choices, dict):
        raise ValueError("expected choices by the SHA-256 of models")
    return choices


def _check_owner(state: os.stat_result, file: Path) -> None:
    if not hasattr(os, "geteuid"):  # Windows, where only the user may write to the user's folder
        return
    user = os.geteuid()
    if state.st_uid not in (0, user):
        owner = f"it belongs to user {state.st_uid}, expected {user} or root"
        raise _UnsafeFile(f"{owner}; chown {user} {file}")
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise _UnsafeFile(f"others may write it (mode {stat.S_IMODE(state.st_mode):o}); chmod go-w {file}")
