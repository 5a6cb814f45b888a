"""Writes a model repository."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from maskcheck import MaskClassifier
from maskcheck_export.errors import DataError
from maskcheck_export.triton.configs import (
    CONFIG_FILE,
    LABELS_FILE,
    MODEL_FILE,
    PICTURE_FILE,
    classifier_config,
    pipeline_config,
    to_text,
)
from maskcheck_export.triton.guide import GUIDE_FILE, guide
from maskcheck_export.triton.settings import CLASSIFIER, PIPELINE, VERSION, PipelineSettings, Scheduling
from maskcheck_export.triton.warmup import picture_tensor

CLASSIFIER_FILE = "classifier.onnx"
"""The model file beside the Python file. Triton may fetch each model into a folder of its own, so both have it."""


def write_repository(
    folder: Path,
    *,
    model: str | os.PathLike[str] | None = None,
    pipeline: PipelineSettings,
    scheduling: Scheduling,
    overwrite: bool = False,
) -> list[Path]:
    """Write both models and their README into a folder, which may hold other models.

    Args:
        folder: The model repository; it is made if there is none.
        model: The model file of the classifier; None for the embedded one.
        pipeline: What the whole pipeline does.
        scheduling: How both models run.
        overwrite: Whether what is there of these models is replaced.

    Returns:
        What was written.

    Raises:
        ModelError: The model file cannot be used.
        DataError: One of the models is there already, or the folder cannot be written.
    """
    classifier = MaskClassifier(model, device="cpu", precision="stored")
    info, file = classifier.info, Path(classifier.path)
    targets = [folder / name for name in (CLASSIFIER, PIPELINE, GUIDE_FILE)]
    there = [str(target) for target in targets if target.exists()]
    if there and not overwrite:
        raise DataError(f"{', '.join(there)}: there already; choose another folder, or replace them with --overwrite")
    comments = (f"Written by maskcheck-export triton, from {file.name},", f"SHA-256 {classifier.sha256}.")
    contents: dict[str, str | bytes | Path] = {
        f"{CLASSIFIER}/{CONFIG_FILE}": to_text(classifier_config(info, scheduling, threads=pipeline.threads), comments),
        f"{CLASSIFIER}/{LABELS_FILE}": "".join(f"{label}\n" for label in info.labels),
        f"{CLASSIFIER}/{VERSION}/{MODEL_FILE}": file,
        f"{PIPELINE}/{CONFIG_FILE}": to_text(pipeline_config(CLASSIFIER_FILE, pipeline, scheduling), comments),
        f"{PIPELINE}/{VERSION}/model.py": Path(__file__).with_name("pipeline_model.py"),
        f"{PIPELINE}/{VERSION}/{CLASSIFIER_FILE}": file,
        f"{PIPELINE}/warmup/{PICTURE_FILE}": picture_tensor(),
        GUIDE_FILE: guide(folder, info, classifier.sha256, pipeline, scheduling),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Beside the folder, as Triton may be watching it; each model then appears whole.
        with TemporaryDirectory(prefix=".unfinished-", dir=folder.resolve().parent) as unfinished:
            for name, content in contents.items():
                _write(Path(unfinished) / name, content)
            for target in targets:
                _replace(target, Path(unfinished))
    except OSError as error:
        raise DataError(f"cannot write {error.filename or folder}: {error.strerror or error}") from error
    return targets


def _write(path: Path, content: str | bytes | Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        shutil.copyfile(content, path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content, encoding="utf-8")


def _replace(target: Path, unfinished: Path) -> None:
    if target.exists():
        shutil.move(target, unfinished / f"earlier-{target.name}")
    shutil.move(unfinished / target.name, target)
