"""``maskcheck-export evaluate`` on a ``.keras`` file, in the folder of its training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from maskcheck_export.commands import main
from maskcheck_export.data.samples import Sample
from maskcheck_export.data.split import Parts
from maskcheck_export.recipes.settings import Settings
from maskcheck_export.runs import MODEL, Run

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def training(tmp_path: Path) -> Path:
    """A training whose model calls bright faces masked, with a white and a black masked face kept for testing."""
    import keras
    import numpy as np

    folder, settings = tmp_path / "run", Settings()
    folder.mkdir()
    faces = keras.Input((settings.input.size, settings.input.size, 3))
    head = keras.layers.Dense(2, activation="softmax")
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(faces))
    network = keras.Model(faces, {"probabilities": head(mean)})
    head.set_weights([np.array([[2, 0]] * 3, np.float32), np.array([-3, 0], np.float32)])
    network.save(folder / MODEL)
    test = []
    for name in ("white", "black"):
        Image.new("RGB", (60, 80), name).save(tmp_path / f"{name}.png")
        test.append(Sample(tmp_path / f"{name}.png", (0, 0, 60, 80), "with_mask", "drawn", name, whole=True))
    Run(folder, settings, Parts((), (), tuple(test)), "0", "nothing", 1.0, None, {}, {}).save()
    return folder


def test_a_keras_file_is_evaluated_on_what_its_training_kept_out(training: Path, tmp_path: Path) -> None:
    arguments = ["evaluate", training / MODEL, training, "--output", tmp_path / "report"]

    result = CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)

    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / "report" / "report.json").read_text())
    assert figures["model"]["labels"] == ["with_mask", "without_mask"]
    assert figures["overall"]["confusion_matrix"] == [[1, 1], [0, 0]]
    assert Path(figures["mistakes"][0]["path"]).name == "black.png"


def test_a_damaged_keras_file_is_refused(training: Path, tmp_path: Path) -> None:
    (training / MODEL).write_bytes(b"not a model")
    arguments = ["evaluate", training / MODEL, training, "--output", tmp_path / "report"]

    result = CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)

    assert result.exit_code == 2
    assert "Keras cannot load" in result.stderr
