"""How the classifier is to run: what the caller asked for, else what ``maskcheck doctor --tune`` found best here.

The tuned choice is in force where neither a device, nor providers, nor a precision is asked for.

The choices are in one JSON file in the user's configuration folder, or in the folder that the environment variable
``MASKCHECK_CONFIG_DIR`` names: for each model (SHA-256) one choice, and the machine that it was measured on. They are
settings, and never name another model. A file that others may write is not read; where no folder of a user is known,
there are no choices.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from maskcheck.classifier.model import find_model, hash_model, is_embedded
from maskcheck.errors import ModelError
from maskcheck.runtime.config import MOST_THREADS, SessionConfig
from maskcheck.runtime.cpu import cpu_features, cpu_name, int8_features
from maskcheck.runtime.installed import installed_runtimes
from maskcheck.runtime.providers import CPU, CUDA, Provider
from maskcheck.runtime.session import OnnxSession, Precision
from maskcheck.texts import shortened

DEFAULT_BATCH_SIZE = 32
MOST_BATCH_SIZE = 1024
"""Largest batch size: memory grows with the largest run, by megabytes a face, and from some tens of faces on nothing is
gained."""

LEAST_MEMORY = 10_000_000
"""Least limit of memory, in bytes, that can be set: with less, not even a small classifier runs."""

FIRST_TIMEOUT = 60.0
"""Seconds that loading a file of the caller's, and its first run, may take by default."""

_SCHEMA = "maskcheck-tuned/2"
_LARGEST_FILE = 1_000_000  # bytes
_AGAIN = "`maskcheck doctor --tune` makes a new one"

NO_FOLDER = "the home folder of this user is not known; set HOME, or name a folder by MASKCHECK_CONFIG_DIR"
"""Why there are no tuned choices, where ``config_file`` is None."""


@dataclass(frozen=True)
class Choice:
    """The fastest way to run a model on one machine.

    Attributes:
        provider: Execution provider.
        precision: As a session takes it.
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


@dataclass(frozen=True)
class Execution:
    """A session that is not yet made, and the batches that it gets.

    Attributes:
        session: Session of the file that runs.
        batch_size: Most faces in one run.
        tuned: Whether the tuned choice is in force.
    """

    session: OnnxSession
    batch_size: int
    tuned: bool


def plan_execution(
    model: str | os.PathLike[str] | None,
    *,
    device: str,
    providers: Sequence[Provider] | None,
    threads: int | None,
    precision: Precision,
    batch_size: int | None,
    timeout: float | None = None,
    max_memory: int | None = None,
) -> Execution:
    """How a model is to run. What is asked for wins; the tuned choice, as a whole, over what the CPU's flags say.

    A `device` other than ``auto``, `providers` or a `precision` put the tuned choice aside; `threads` and `batch_size`
    take the place of its own. A choice that does not fit is passed over with one warning.

    Raises:
        ModelNotFound: There is no such file.
        ValueError: An argument out of its range.
    """
    path = find_model(model)
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size: expected 1 or more, got {shortened(batch_size)}")
    if batch_size is not None and batch_size > MOST_BATCH_SIZE:
        raise ValueError(
            f"batch_size: expected at most {MOST_BATCH_SIZE}, got {shortened(batch_size)};"
            " memory grows with it, and from some tens of faces on nothing is gained"
        )
    if max_memory is not None and max_memory < LEAST_MEMORY:
        raise ValueError(f"max_memory: expected {LEAST_MEMORY} bytes or more, or None, got {shortened(max_memory)}")
    embedded = is_embedded(path)
    limits: dict[str, Any] = {
        "timeout": timeout,
        "max_memory": max_memory,
        "first_timeout": None if embedded else FIRST_TIMEOUT,
        "trusted": embedded,  # its hash is checked before it is loaded
    }
    asked = OnnxSession(
        path, SessionConfig(device=device, providers=providers, threads=threads), precision=precision, **limits
    )
    found: Choice | None = None
    if device == "auto" and precision == "auto" and providers is None:
        found, problem = find_choice(path)
        if problem:
            warnings.warn(problem, RuntimeWarning, stacklevel=3)
    if found is None:
        return Execution(asked, batch_size or DEFAULT_BATCH_SIZE, tuned=False)
    chosen = SessionConfig(
        device="cpu" if found.provider == CPU else "auto",
        providers=None if found.provider in (CPU, CUDA) else [found.provider, CPU],
        threads=threads or found.threads,
    )
    tuned = OnnxSession(path, chosen, required=False, precision=found.precision, **limits)
    return Execution(tuned, batch_size or found.batch_size, tuned=True)


def config_file() -> Path | None:
    """The file with the tuned choices, which need not exist; None where no folder of the user is known.

    So it is for a user without a home folder, as in many containers; ``MASKCHECK_CONFIG_DIR`` can name a folder.
    """
    folder = os.environ.get("MASKCHECK_CONFIG_DIR")
    if folder:
        return Path(folder) / "tuned.json"
    from platformdirs import user_config_dir

    try:
        folder = user_config_dir("maskcheck", appauthor=False)
    except (RuntimeError, KeyError, OSError):  # no home folder, and nobody of this number among the users
        return None
    named = [os.environ.get(name) for name in ("XDG_CONFIG_HOME", "HOME")]
    nowhere = sys.platform not in ("win32", "darwin") and not named[0] and named[1] == ""
    return None if nowhere or not Path(folder).is_absolute() else Path(folder) / "tuned.json"


def find_choice(path: Path) -> tuple[Choice | None, str]:
    """The tuned choice for a model on this machine, and what is wrong with the one that there is, in words.

    Without any choice for this model, both are empty.
    """
    file = config_file()
    if file is None:
        return None, ""
    try:
        entries = _read(file)
    except FileNotFoundError:
        return None, ""
    except _ForeignFile as error:
        return None, f"the tuned choices in {file} are ignored: {error}"
    except (OSError, ValueError, RecursionError) as error:
        why = "nested too deep" if isinstance(error, RecursionError) else shortened(str(error))
        return None, f"the tuned choices in {file} cannot be read, and are ignored: {why}; {_AGAIN}"
    try:
        entry = entries.get(hash_model(path))
    except ModelError:  # whoever loads it will say so
        return None, ""
    if entry is None:
        return None, ""
    ignored = f"the tuned choice for {path.name} in {file} is ignored"
    try:
        machine, choice = dict(entry["machine"]), Choice(**entry["choice"])
    except (KeyError, TypeError, ValueError) as error:
        return None, f"{ignored}: it is damaged ({type(error).__name__}: {shortened(str(error))}); {_AGAIN}"
    changed = [name for name, value in describe_machine().items() if machine.get(name) != value]
    if changed:
        return None, f"{ignored}: it was made with another {' and another '.join(changed)}; {_AGAIN}"
    return choice, ""


def save_choice(path: Path, choice: Choice) -> Path:
    """Put the choice for a model into the configuration; those for other models stay.

    Returns:
        The file that was written.

    Raises:
        OSError: It cannot be written, or no folder of the user is known.
    """
    file = config_file()
    if file is None:
        raise OSError(f"no folder for the choice: {NO_FOLDER}")
    try:
        entries = _read(file)
    except (OSError, ValueError, RecursionError):  # none yet, damaged, or not to be trusted
        entries = {}
    entries[hash_model(path)] = {"machine": describe_machine(), "choice": asdict(choice)}
    file.parent.mkdir(parents=True, exist_ok=True)
    # Written whole beside it first: another process may read it meanwhile. Only this user may write it.
    whole = file.with_name(f"{file.name}.{os.getpid()}")
    whole.unlink(missing_ok=True)
    with os.fdopen(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as target:
        json.dump({"schema": _SCHEMA, "choices": entries}, target, indent=2)
    whole.replace(file)
    return file


def describe_machine() -> dict[str, Any]:
    """What a choice depends on, beside the model: runtime, CPU and its features; JSON-ready."""
    try:
        features = cpu_features()
    except (ImportError, AttributeError):  # of OpenCV, or of half of it: the doctor runs without it
        features = []
    return {"runtime": installed_runtimes(), "CPU": cpu_name(), "CPU features": [*int8_features(), *features]}


class _ForeignFile(ValueError):
    """Somebody else may have written the file."""


def _read(file: Path) -> dict[str, Any]:
    # Not to wait for a named pipe.
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
    if not hasattr(os, "geteuid"):  # on Windows, the folder of a user is the user's
        return
    user = os.geteuid()
    if state.st_uid not in (0, user):
        owner = f"it belongs to user {state.st_uid}, expected {user} or root"
        raise _ForeignFile(f"{owner}; chown {user} {file}")
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise _ForeignFile(f"others may write it (mode {stat.S_IMODE(state.st_mode):o}); chmod go-w {file}")
