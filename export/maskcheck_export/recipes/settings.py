"""The keys of a recipe: how a training is done."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

MIN_INPUT_SIZE = 75  # the strides of InceptionV3 leave nothing of a smaller picture

Share = Annotated[float, Field(ge=0, le=1)]
HalfAtMost = Annotated[float, Field(ge=0, le=0.5)]
Positive = Annotated[float, Field(gt=0)]
Architecture: TypeAlias = Literal["inception_v3", "mobilenet_v2"]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataSource(_Table):
    """A folder of labelled faces.

    Attributes:
        path: The folder; relative to ``--data-root``.
        weight: How many times each of its faces is drawn in an epoch: 1 once, 0.5 every second epoch, 3 three times.
        overlay: Changes of its COCO annotations: an overlay of the package, as ``crowd``, or a JSON file that
            ``maskcheck-export complete`` wrote.
        proposals: How many times each proposal of the detectors in its pictures is drawn in an epoch; pictures with
            boxes only.
        places: Whether its boxes lie where the model should see faces; false if they are drawn in another way, such as
            around whole heads. Then they teach labels, and no places.
    """

    path: str
    weight: Positive = 1.0
    overlay: str | None = None
    proposals: Annotated[float, Field(ge=0)] = 0.0
    places: bool = True


class Split(_Table):
    """Which faces are kept out of training.

    Attributes:
        by: ``groups`` keeps near-duplicates, and the faces of one picture, on one side; ``faces`` draws each face by
            itself, stratified by label, as many tutorials do: a training may then see copies of test pictures.
        test: Share of the faces that measure the finished model; nothing is chosen by them.
        fold: Which of the 1 / `test` parts measures, from 0; with a training for each, every face measures once.
            ``groups`` only.
        validation: Share of the other faces that may stop a training and that the temperature is fitted on.
        near_duplicates: Pictures are near-duplicates if their 256-bit perceptual hashes differ in at most this many
            bits; -1 looks for none.
    """

    by: Literal["groups", "faces"] = "groups"
    test: HalfAtMost = 0.2
    fold: Annotated[int, Field(ge=0)] = 0
    validation: HalfAtMost = 0.1
    near_duplicates: Annotated[int, Field(ge=-1, le=64)] = 20

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.fold and self.by != "groups":
            raise ValueError(f"fold: expected 0 in a split by {self.by}, got {self.fold}")
        parts = round(1 / self.test) if self.test else 1
        if self.fold >= parts:
            raise ValueError(f"fold: expected 0 to {parts - 1} with test = {self.test:g}, got {self.fold}")
        return self


class Input(_Table):
    """What the classifier sees.

    Attributes:
        size: Side of the square input, in pixels.
        margin: Added around a face box on each side, as a share of its longer side.
    """

    size: Annotated[int, Field(ge=MIN_INPUT_SIZE, le=1024)] = 128
    margin: HalfAtMost = 0.2


class Network(_Table):
    """The classifier.

    Attributes:
        architecture: Its body: ``inception_v3``, or ``mobilenet_v2``, which is a tenth of the size and several times as
            fast.
        weights: The first weights of the body: ``imagenet`` (Keras downloads them), ``none`` (random), a weights file
            of the body without its top, or the ``model.keras`` of an earlier run, whose body is used.
        dropout: Share of the pooled features that training drops.
    """

    architecture: Architecture = "inception_v3"
    weights: str = "imagenet"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3


class SecondLook(_Table):
    """What the classifier says of a detector's proposals, besides the label: is it a face, and where is the face.

    It learns that from data sets whose ``proposals`` are above 0; without any, the model has no second look.

    Proposals that overlap with a face by less than `face` and at least `no_face` teach the place, and not whether it is
    a face.

    Attributes:
        detectors: Names of the detectors whose proposals it is trained on.
        least: Proposals with a lower detection score are left out.
        face: Least overlap (intersection over union) with a face at which a proposal is a face.
        no_face: Overlap below which a proposal is no face.
        face_weight: Weight in the loss of whether it is a face, if the weight of the label is 1.
        box_weight: Weight in the loss of the place.
    """

    detectors: tuple[str, ...] = ()
    least: Share = 0.1
    face: Share = 0.45
    no_face: Share = 0.3
    face_weight: Positive = 1.0
    box_weight: Positive = 25.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.no_face > self.face:
            raise ValueError(f"no_face: expected {self.face:g} (face) at most, got {self.no_face:g}")
        return self


class Stage(_Table):
    """A part of the training, with one optimizer.

    Attributes:
        epochs: Number of epochs; 0 leaves the stage out.
        optimizer: ``adam`` or ``sgd``.
        learning_rate: The highest learning rate of the stage.
        momentum: Of SGD.
        nesterov: Use Nesterov's form of the momentum; SGD only.
        weight_decay: Decoupled weight decay of each step, as a share of the learning rate.
        schedule: ``constant``; ``cosine`` (falls to 0 at the end of the stage); ``step`` (multiplied by `step_factor`
            every `step_epochs`); ``inverse_time`` (divided by ``1 + decay * steps``, the ``decay`` of Keras 2).
        warmup_epochs: Epochs in which the learning rate first rises from 0; ``cosine`` only.
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
        head: Trains the new head alone; the body, with its batch normalisation, does not change.
        all: Trains everything.
    """

    head: Stage = Stage(epochs=1)
    all: Stage = Stage(epochs=8, learning_rate=2e-4, schedule="cosine", warmup_epochs=0.5)


class Training(_Table):
    """How every stage trains.

    Attributes:
        batch_size: Faces in a step.
        label_smoothing: Share of the target that is spread over all labels.
        label_weights: ``balanced`` makes rare labels count as much as frequent labels, ``none`` counts all faces
            alike; or a table with a weight for each label.
        early_stopping: Stop a stage after this many epochs without a lower validation loss; 0 never stops.
        keep: The epoch whose weights are the result: the ``last``, or the ``best`` by validation loss.
        temperature: Fit the temperature of the softmax on the validation faces, and put it into the model.
        precision: Arithmetic of the training; the mixed precisions need a GPU, or a CPU with bfloat16.
        devices: ``one``, or ``all`` to share each batch among all GPUs.
    """

    batch_size: Annotated[int, Field(ge=1)] = 32
    label_smoothing: HalfAtMost = 0.05
    label_weights: Literal["balanced", "none"] | dict[str, Positive] = "balanced"
    early_stopping: Annotated[int, Field(ge=0)] = 0
    keep: Literal["last", "best"] = "last"
    temperature: bool = True
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    devices: Literal["one", "all"] = "one"


class Distillation(_Table):
    """A trained classifier as the teacher of a smaller one.

    The answers of the teacher replace the labels of all training crops, and it answers for a detector's proposals, too
    (Hinton et al. 2015, arXiv:1503.02531). It sees each crop as it was changed at random, as the student does (Beyer et
    al. 2022, arXiv:2106.05237). ``training.label_smoothing`` is not used: the answers are soft.

    Attributes:
        teacher: An ONNX file that ``maskcheck-export convert`` wrote, or ``default`` for the model of the SDK; empty
            for no teacher. It has the same labels and margin; its input may have another size.
        temperature: Of the softmax of both in the loss; above 1, what the teacher says of the less likely labels
            counts more.
    """

    teacher: str = ""
    temperature: Annotated[float, Field(ge=1)] = 2.0


class PaintedMasks(_Table):
    """Masks painted on bare faces, which changes the label of the face.

    Attributes:
        worn: Share of the bare faces that get a mask over mouth and nose: ``with_mask``.
        incorrect: Share that get a mask under the nose or on the chin: ``mask_worn_incorrectly``, if that is a label.
        worn_label: Label of a face with a mask over mouth and nose.
        incorrect_label: Label of a face with a mask under the nose or on the chin.
        bare_label: Label of the faces that masks are painted on.
    """

    worn: Share = 0.0
    incorrect: Share = 0.0
    worn_label: str = "with_mask"
    incorrect_label: str = "mask_worn_incorrectly"
    bare_label: str = "without_mask"

    @property
    def painted(self) -> dict[str, tuple[float, str]]:
        """Share and label of each kind of mask that is painted, by the key of its share."""
        kinds = {"worn": (self.worn, self.worn_label), "incorrect": (self.incorrect, self.incorrect_label)}
        return {name: kind for name, kind in kinds.items() if kind[0]}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.worn + self.incorrect > 1:
            raise ValueError(f"expected worn + incorrect of 1 at most, got {self.worn + self.incorrect:g}")
        return self


class Augmentation(_Table):
    """Random changes of each face, different in each epoch.

    Attributes:
        flip: Probability of a left-right mirror image.
        rotation: Largest angle in degrees, in both directions.
        shift: Largest shift, as a share of the sides of the box.
        zoom: Largest change of the sides of the box: 0.2 multiplies each side by 0.8 to 1.2.
        shear: Largest shear: horizontal shift for a unit of height.
        tight: Probability that a whole picture is resized to the input without margin, as an application does that
            cuts faces out itself.
        light: Probability of a change of light: brightness, contrast and colour.
        brightness: Largest change of the brightness, as a share of white.
        contrast: Largest change of the contrast, as a share.
        colour: Largest change of the gain of each channel (white balance), as a share.
        far: Probability that the face is shrunk to few pixels and enlarged again.
        far_size: Smallest and largest side that it is shrunk to, in pixels.
        blur: Probability of a Gaussian blur.
        jpeg: Probability of JPEG artefacts.
        occlusion: Probability that an object that reaches in from the edge hides part of the crop, but not the mouth.
        objects: Probability of an object at the face that is no mask, also before a bare mouth: a hand, a phone, a cup,
            a microphone, a beard, a scarf, sunglasses; on faces whose place is known.
        overexposure: Probability of strong light that bleaches the face.
        backlight: Probability of light from behind, which darkens the face.
        motion_blur: Probability of a blur along a line.
        noise: Probability of the noise of a camera in little light.
        masks: Painted masks.
        landmarks: Name of an installed detector that gives five landmarks, as ``centerface``: painted masks and objects
            then follow turned and tilted faces. Without it, each face counts as upright in its box.
    """

    flip: Share = 0.0
    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    shift: HalfAtMost = 0.0
    zoom: HalfAtMost = 0.0
    shear: HalfAtMost = 0.0
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
    objects: Share = 0.0
    overexposure: Share = 0.0
    backlight: Share = 0.0
    motion_blur: Share = 0.0
    noise: Share = 0.0
    masks: PaintedMasks = PaintedMasks()
    landmarks: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.far_size[0] > self.far_size[1]:
            raise ValueError(f"far_size: expected the smallest side, then the largest, got {self.far_size}")
        return self


class Settings(_Table):
    """A recipe.

    Attributes:
        labels: Labels, in the order of the outputs of the model.
        data: The data sets.
        seed: Of split, order, augmentation and first weights.
        split: Which faces are kept out of training.
        input: What the classifier sees.
        network: The classifier.
        second_look: What it says of a detector's proposals.
        training: How every stage trains.
        stages: The two stages.
        augmentation: Random changes of the training faces.
    """

    labels: tuple[str, ...] = ("with_mask", "without_mask")
    data: tuple[DataSource, ...] = ()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    split: Split = Split()
    input: Input = Input()
    network: Network = Network()
    second_look: SecondLook = SecondLook()
    training: Training = Training()
    distillation: Distillation = Distillation()
    stages: Stages = Stages()
    augmentation: Augmentation = Augmentation()

    @property
    def has_second_look(self) -> bool:
        """Whether the model has a second look."""
        return any(source.proposals for source in self.data)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.labels) < 2 or len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels: expected two different names or more, got {', '.join(self.labels) or 'none'}")
        weights = self.training.label_weights
        if isinstance(weights, dict) and set(weights) != set(self.labels):
            raise ValueError(f"training.label_weights: expected {', '.join(self.labels)}, got {', '.join(weights)}")
        if any(source.proposals for source in self.data) and not self.second_look.detectors:
            raise ValueError("data.proposals needs second_look.detectors, whose proposals are drawn")
        for _, label in self.augmentation.masks.painted.values():
            if label not in self.labels:
                raise ValueError(f"augmentation.masks paints {label}, which is not in labels; set its share to 0")
        chooses = self.training.early_stopping or self.training.keep == "best" or self.training.temperature
        if chooses and not self.split.validation:
            raise ValueError("training.early_stopping, keep = best and temperature need split.validation above 0")
        return self
