"""What a training is asked to do: the form of a recipe, a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from maskcheck_export.errors import RecipeError

RECIPES = Path(__file__).parent / "recipes"
"""The recipes that come with the package."""

MIN_INPUT_SIZE = 75  # InceptionV3's strides leave nothing of a smaller picture

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataSource(_Table):
    """A folder of labelled faces.

    Attributes:
        path: The folder; relative to ``--data-root``.
        weight: How many times an epoch each of its faces is drawn: 1 once, 0.5 every second epoch, 3 three times.
    """

    path: str
    weight: Positive = 1.0


class Split(_Table):
    """What is kept out of training.

    Attributes:
        by: ``groups`` never parts near-duplicates, or faces of one picture; ``faces`` draws each face by itself,
            stratified by label, as many tutorials do: copies of test pictures may then be trained on.
        test: Share kept for the final measurement; nothing is chosen by it.
        validation: Share of the rest by which training may be stopped and the temperature is fitted.
        near_duplicates: Pictures whose 256-bit perceptual hashes differ in at most so many bits are one group;
            -1 looks for none.
    """

    by: Literal["groups", "faces"] = "groups"
    test: Annotated[float, Field(ge=0, le=0.5)] = 0.2
    validation: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    near_duplicates: Annotated[int, Field(ge=-1, le=64)] = 20


class Input(_Table):
    """What the classifier sees.

    Attributes:
        size: Side of the square input, in pixels.
        margin: Added around a face box on each side, as a share of its longer side.
    """

    size: Annotated[int, Field(ge=MIN_INPUT_SIZE, le=1024)] = 128
    margin: Annotated[float, Field(ge=0, le=0.5)] = 0.2


class Network(_Table):
    """The classifier.

    Attributes:
        weights: Start of the body: ``imagenet`` (Keras downloads it), ``none``, or a weights file of InceptionV3
            without its top, or the ``model.keras`` of an earlier run, whose body is taken.
        dropout: Share of the pooled features dropped while training.
    """

    weights: str = "imagenet"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3


class Stage(_Table):
    """A stretch of training with one optimizer.

    Attributes:
        epochs: Number of epochs; 0 leaves the stage out.
        optimizer: ``adam`` or ``sgd``.
        learning_rate: The highest.
        momentum: Of SGD.
        nesterov: Nesterov's form of SGD's momentum.
        weight_decay: Decoupled weight decay a step, as a share of the learning rate.
        schedule: ``constant``; ``cosine`` (to 0 at the end of the stage); ``step`` (times `step_factor` every
            `step_epochs`); ``inverse_time`` (divided by ``1 + decay * steps``, the ``decay`` of Keras 2).
        warmup_epochs: Epochs over which the learning rate first rises from 0 (``cosine`` only).
        step_epochs: See `schedule`.
        step_factor: See `schedule`.
        decay: See `schedule`.
    """

    epochs: Annotated[int, Field(ge=0)]
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: Positive = 1e-3
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = True
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Literal["constant", "cosine", "step", "inverse_time"] = "constant"
    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0
    step_epochs: Annotated[int, Field(ge=1)] = 5
    step_factor: Annotated[float, Field(gt=0, le=1)] = 0.1
    decay: Annotated[float, Field(ge=0)] = 0.0


class Stages(_Table):
    """The two stages of fine-tuning.

    Attributes:
        head: The new head alone; the body, batch normalisation included, stays as it is.
        all: Everything.
    """

    head: Stage = Stage(epochs=1)
    all: Stage = Stage(epochs=8, learning_rate=2e-4, schedule="cosine", warmup_epochs=0.5)


class Training(_Table):
    """How training goes in every stage.

    Attributes:
        batch_size: Faces a step.
        label_smoothing: Share of the target spread over all labels.
        label_weights: ``balanced`` gives rare labels the weight of frequent ones, ``none`` weighs faces alike;
            or a weight for each label.
        early_stopping: Stop a stage after so many epochs without a lower validation loss; 0 never stops.
        keep: Which epoch's weights are the result: the ``last``, or the ``best`` by validation loss.
        temperature: Fit the softmax's temperature on the validation faces and put it into the model.
        precision: Arithmetic of training; the mixed ones want a GPU, or a CPU with bfloat16.
        devices: ``one``, or ``all``: data-parallel over all GPUs, by Keras's own distribution.
    """

    batch_size: Annotated[int, Field(ge=1)] = 32
    label_smoothing: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    label_weights: Literal["balanced", "none"] | dict[str, Positive] = "balanced"
    early_stopping: Annotated[int, Field(ge=0)] = 0
    keep: Literal["last", "best"] = "last"
    temperature: bool = True
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    devices: Literal["one", "all"] = "one"


class PaintedMasks(_Table):
    """Masks painted on bare faces, which changes their label.

    Attributes:
        worn: Share of the bare faces drawn that get a mask over mouth and nose: ``with_mask``.
        incorrect: Share that get one under the nose or on the chin: ``mask_worn_incorrectly``, if that is a label.
        worn_label: Label of the first.
        incorrect_label: Label of the second.
        bare_label: Label of the faces to paint on.
    """

    worn: Share = 0.0
    incorrect: Share = 0.0
    worn_label: str = "with_mask"
    incorrect_label: str = "mask_worn_incorrectly"
    bare_label: str = "without_mask"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.worn + self.incorrect > 1:
            raise ValueError(f"expected worn + incorrect of 1 at most, got {self.worn + self.incorrect:g}")
        return self


class Augmentation(_Table):
    """Random changes to each face, anew in each epoch.

    Attributes:
        flip: Probability of a left-right mirror image.
        rotation: Largest angle, in degrees, both ways.
        shift: Largest shift, as a share of the box's sides.
        zoom: Largest change of the box's sides: 0.2 scales them by 0.8 to 1.2, each by itself.
        shear: Largest shear: horizontal shift a unit of height.
        tight: Probability that a whole picture is squeezed into the input without margin, as an application does
            that brings its own face crops.
        light: Probability of a change of light: brightness, contrast and colour.
        brightness: Largest change, as a share of white.
        contrast: Largest change of the gain.
        colour: Largest change of each channel's gain (white balance).
        far: Probability that the face is shrunk to few pixels and enlarged again.
        far_size: Smallest and largest side that it is shrunk to, in pixels.
        blur: Probability of a Gaussian blur.
        jpeg: Probability of JPEG artefacts.
        occlusion: Probability that something hides part of the face.
        masks: Painted masks.
    """

    flip: Share = 0.0
    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    zoom: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    shear: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    tight: Share = 0.0
    light: Share = 0.0
    brightness: Share = 0.15
    contrast: Share = 0.35
    colour: Share = 0.07
    far: Share = 0.0
    far_size: tuple[Annotated[int, Field(ge=4)], Annotated[int, Field(ge=4)]] = (10, 64)
    blur: Share = 0.0
    jpeg: Share = 0.0
    occlusion: Share = 0.0
    masks: PaintedMasks = PaintedMasks()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.far_size[0] > self.far_size[1]:
            raise ValueError(f"far_size: expected smallest and largest side in this order, got {self.far_size}")
        return self


class Settings(_Table):
    """A recipe.

    Attributes:
        labels: Labels, in the order of the model's outputs.
        data: The data sets.
        seed: Of split, order, augmentation and initial weights.
        split: What is kept out.
        input: What the classifier sees.
        network: The classifier.
        training: How training goes.
        stages: The two stages.
        augmentation: Random changes to the training faces.
    """

    labels: tuple[str, ...] = ("with_mask", "without_mask")
    data: tuple[DataSource, ...] = ()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    split: Split = Split()
    input: Input = Input()
    network: Network = Network()
    training: Training = Training()
    stages: Stages = Stages()
    augmentation: Augmentation = Augmentation()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.labels) < 2 or len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels: expected two different names or more, got {', '.join(self.labels) or 'none'}")
        weights = self.training.label_weights
        if isinstance(weights, dict) and set(weights) != set(self.labels):
            raise ValueError(f"training.label_weights: expected {', '.join(self.labels)}, got {', '.join(weights)}")
        masks = self.augmentation.masks
        for share, label in ((masks.worn, masks.worn_label), (masks.incorrect, masks.incorrect_label)):
            if share and label not in self.labels:
                raise ValueError(f"augmentation.masks paints {label}, which is not one of labels; set its share to 0")
        chooses = self.training.early_stopping or self.training.keep == "best" or self.training.temperature
        if chooses and not self.split.validation:
            raise ValueError("training.early_stopping, keep = best and temperature need split.validation above 0")
        return self


def read_recipe(recipe: str | Path, changes: Sequence[str] = ()) -> Settings:
    """Read a recipe.

    Args:
        recipe: A TOML file; or one that comes with the package, as ``recipes/default.toml`` or ``default``.
        changes: ``key=value`` with a dotted key and a TOML value, ``stages.all.epochs=2``: replaces what the
            recipe says. A value that is no TOML is taken as text.

    Raises:
        RecipeError: No such recipe, it does not parse, a key is unknown or a value is not one it may have.
    """
    path = find_recipe(recipe)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not TOML: {error}") from error
    for change in changes:
        _change(content, change)
    return settings_from(content, str(recipe))


def settings_from(content: dict[str, Any], name: str) -> Settings:
    """Check the content of a recipe.

    Raises:
        RecipeError: A key is unknown or a value is not one it may have; the message names each, and `name`.
    """
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, one['loc'])) or 'recipe'}: {_problem(one)}" for one in error.errors()]
        raise RecipeError(f"{name}: " + "; ".join(problems)) from error


def _problem(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "no such key; `maskcheck-export train --help` lists the recipes to compare with"
    message = error["msg"].removeprefix("Value error, ")
    return message if error["type"] == "value_error" else f"{message}, got {error['input']!r}"


def find_recipe(recipe: str | Path) -> Path:
    """A TOML file by its path; or one that comes with the package, as ``recipes/default.toml`` or ``default``.

    Raises:
        RecipeError: There is none; the message lists those of the package.
    """
    for path in (Path(recipe), RECIPES.parent / recipe, RECIPES / f"{recipe}.toml"):
        if path.is_file():
            return path
    known = ", ".join(f"recipes/{path.name}" for path in sorted(RECIPES.glob("*.toml")))
    raise RecipeError(f"no recipe {recipe}; expected a TOML file, or one of {known}")


def _change(content: dict[str, Any], change: str) -> None:
    key, equals, value = change.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"expected key=value, as stages.all.epochs=2, got {change!r}")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    *tables, name = key.strip().split(".")
    for table in tables:
        content = content.setdefault(table, {})
        if not isinstance(content, dict):
            raise RecipeError(f"{change}: {table} is not a table")
    content[name] = parsed
