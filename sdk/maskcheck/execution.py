"""How the classifier is to run: what the caller asked for, else what ``maskcheck doctor --tune`` found best here.

The choices are in one JSON file in the user's configuration folder, or in the folder that the environment variable
``MASKCHECK_CONFIG_DIR`` names: for each model (SHA-256) one choice, and the machine that it was measured on.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from maskcheck.cpu import cpu_features, cpu_name, int8_features
from maskcheck.errors import ModelError
from maskcheck.model import find_model, hash_model
from maskcheck.runtime import CPU, CUDA, OnnxSession, Precision, Provider, installed_runtimes

DEFAULT_BATCH_SIZE = 32

_SCHEMA = "maskcheck-tuned/1"
_AGAIN = "`maskcheck doctor --tune` makes a new one"


@dataclass(frozen=True)
class Choice:
    """The fastest way to run a model on one machine.

    Attributes:
        model: Path of the file that runs instead; None for the model itself.
        model_sha256: Of the file that runs, in hexadecimal.
        provider: Execution provider.
        precision: As a session takes it.
        threads: Threads of the session.
        batch_size: Most faces in one run.

    Raises:
        ValueError: A value that no choice can have.
    """

    model: str | None
    model_sha256: str
    provider: str
    precision: Precision
    threads: int
    batch_size: int

    def __post_init__(self) -> None:
        texts = [self.model_sha256, self.provider, *([] if self.model is None else [self.model])]
        numbers = [self.threads, self.batch_size]
        if not all(isinstance(text, str) for text in texts) or self.precision not in get_args(Precision):
            raise ValueError(f"expected names of a model, provider and precision, got {self}")
        if not all(type(number) is int and number > 0 for number in numbers):
            raise ValueError(f"expected threads and batch_size from 1, got {self}")


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
) -> Execution:
    """How a model is to run. What is asked for wins; the tuned choice, as a whole, over what the CPU's flags say.

    A `precision`, `providers`, or a `device` that is not the tuned one puts the tuned choice aside; `threads` and
    `batch_size` take the place of its own. A choice that does not fit is passed over with one warning.

    Raises:
        ModelNotFound: There is no such file.
        ValueError: An argument out of its range.
    """
    path = find_model(model)
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size: expected 1 or more, got {batch_size}")
    asked = OnnxSession(path, device=device, providers=providers, threads=threads, precision=precision)
    found: Choice | None = None
    if precision == "auto" and providers is None:
        found, problem = find_choice(path)
        if problem:
            warnings.warn(problem, RuntimeWarning, stacklevel=3)
    if found is None or not _fits(found, device) or (found.model is not None and model is not None):
        return Execution(asked, batch_size or DEFAULT_BATCH_SIZE, tuned=False)
    return Execution(_session(found, path, device, threads), batch_size or found.batch_size, tuned=True)


def _fits(choice: Choice, device: str) -> bool:
    return device == "auto" or {"cpu": CPU, "cuda": CUDA}.get(device) == choice.provider


def _session(choice: Choice, path: Path, device: str, threads: int | None) -> OnnxSession:
    if device == "auto" and choice.provider == CPU:
        device = "cpu"
    return OnnxSession(
        path if choice.model is None else Path(choice.model),
        device=device,
        providers=None if choice.provider in (CPU, CUDA) else [choice.provider, CPU],
        required=False,
        threads=threads or choice.threads,
        precision=choice.precision,
    )


def config_file() -> Path:
    """The file with the tuned choices; it need not exist."""
    folder = os.environ.get("MASKCHECK_CONFIG_DIR")
    if not folder:
        from platformdirs import user_config_dir

        folder = user_config_dir("maskcheck", appauthor=False)
    return Path(folder) / "tuned.json"


def find_choice(path: Path) -> tuple[Choice | None, str]:
    """The tuned choice for a model on this machine, and what is wrong with the one that there is, in words.

    Without any choice for this model, both are empty.
    """
    file = config_file()
    try:
        entries = _read(file)
    except FileNotFoundError:
        return None, ""
    except (OSError, ValueError) as error:
        return None, f"the tuned choices in {file} cannot be read, and are ignored: {error}; {_AGAIN}"
    try:
        entry = entries.get(hash_model(path))
    except (ModelError, OSError):  # whoever loads it will say so
        return None, ""
    if entry is None:
        return None, ""
    ignored = f"the tuned choice for {path.name} in {file} is ignored"
    try:
        machine, choice = dict(entry["machine"]), Choice(**entry["choice"])
    except (KeyError, TypeError, ValueError) as error:
        return None, f"{ignored}: it is damaged ({type(error).__name__}: {error}); {_AGAIN}"
    changed = [name for name, value in describe_machine().items() if machine.get(name) != value]
    if changed:
        return None, f"{ignored}: it was made with another {' and another '.join(changed)}; {_AGAIN}"
    if choice.model is not None and not _is_same(Path(choice.model), choice.model_sha256):
        return None, f"{ignored}: its file {choice.model} is gone or has changed; {_AGAIN}"
    return choice, ""


def save_choice(path: Path, choice: Choice) -> Path:
    """Put the choice for a model into the configuration; those for other models stay.

    Returns:
        The file that was written.

    Raises:
        OSError: It cannot be written.
    """
    file = config_file()
    try:
        entries = _read(file)
    except (OSError, ValueError):  # none yet, or damaged
        entries = {}
    entries[hash_model(path)] = {"machine": describe_machine(), "choice": asdict(choice)}
    file.parent.mkdir(parents=True, exist_ok=True)
    # Written whole beside it first: another process may read it meanwhile.
    whole = file.with_name(f"{file.name}.{os.getpid()}")
    whole.write_text(json.dumps({"schema": _SCHEMA, "choices": entries}, indent=2), encoding="utf-8")
    whole.replace(file)
    return file


def describe_machine() -> dict[str, Any]:
    """What a choice depends on, beside the model: runtime, CPU and its features; JSON-ready."""
    try:
        features = cpu_features()
    except ImportError:  # of OpenCV: the doctor runs without it
        features = []
    return {"runtime": installed_runtimes(), "CPU": cpu_name(), "CPU features": [*int8_features(), *features]}


def _read(file: Path) -> dict[str, Any]:
    content = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or content.get("schema") != _SCHEMA:
        raise ValueError(f"expected JSON of the schema {_SCHEMA}")
    choices = content.get("choices")
    if not isinstance(choices, dict):
        raise ValueError("expected choices by the SHA-256 of models")
    return choices


def _is_same(path: Path, sha256: str) -> bool:
    try:
        return hash_model(path) == sha256
    except (ModelError, OSError):
        return False
