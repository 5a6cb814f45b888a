"""Fits the head that says where the face is, once the rest of the network is trained.

By gradient descent, this head fits the training faces and says impossible places of faces that are unlike them: most
are small and blurred, and a sharp one has much stronger features. Ridge regression on the same features keeps the
weights small, and finds the best ones at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from maskcheck.classifier.model import BOX_OUTPUT
from maskcheck.classifier.second_look import relative_boxes
from maskcheck_export.augmentation.crops import random_crop
from maskcheck_export.data.pack import Pack
from maskcheck_export.data.samples import Sample
from maskcheck_export.evaluation.prediction import BATCH, in_batches, read_crops
from maskcheck_export.recipes.settings import Settings
from maskcheck_export.training.network import CELLS

_PENALTIES = (10.0, 100.0, 1_000.0, 10_000.0)
_MOST = 8_000  # crops that are fitted on, drawn at random; bounds memory and time


def fit_places(
    network: keras.Model,
    pack: Pack,
    training: Sequence[Sample],
    validation: Sequence[Sample],
    settings: Settings,
    *,
    report: Callable[[str], None],
) -> None:
    """Replace the weights of the head ``box`` by those of a ridge regression.

    Args:
        network: The trained network; changed in place.
        pack: The pixels of `training`, in the same order.
        training: The training samples; those whose face is known are fitted on, each changed at random as in training.
        validation: The samples by which the penalty is chosen; without a known face among them, the largest is taken.
        settings: The recipe.
        report: Called with a line of progress.
    """
    from sklearn.linear_model import Ridge

    known = [number for number, sample in enumerate(training) if sample.face is not None]
    if not known:
        report("no training face has a known place: the head that says where faces are stays as it was trained")
        return
    rng = np.random.default_rng(settings.seed)
    chosen = np.sort(rng.permutation(known)[:_MOST]).tolist()
    features = keras.Model(network.input, network.get_layer(CELLS).output)
    seen, places = _training_features(features, pack, training, chosen, settings)
    judged = [sample for sample in validation if sample.face is not None]
    report(f"fitting where faces are on {len(chosen)} crops")
    best: tuple[float, Ridge] | None = None
    validated = _validation_features(features, judged, settings) if judged else None
    for penalty in _PENALTIES if judged else _PENALTIES[-1:]:
        fitted = Ridge(penalty).fit(seen, places)
        error = 0.0 if validated is None else float(np.abs(fitted.predict(validated[0]) - validated[1]).mean())
        if best is None or error < best[0]:
            best = error, fitted
            report(f"penalty {penalty:g}: mean error {error:.4f} of the side of the box, on {len(judged)} crops")
    assert best is not None
    network.get_layer(BOX_OUTPUT).set_weights([best[1].coef_.T, best[1].intercept_])


def _training_features(
    features: keras.Model, pack: Pack, training: Sequence[Sample], chosen: Sequence[int], settings: Settings
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    seen, places = [], []
    for start in range(0, len(chosen), BATCH):
        batch = chosen[start : start + BATCH]
        crops = [
            random_crop(
                region,
                training[number].label,
                whole=training[number].whole,
                shape=settings.input,
                augmentation=settings.augmentation,
                rng=np.random.default_rng([settings.seed, number]),
            )
            for number, region in zip(batch, pack.read(batch), strict=True)
        ]
        seen.append(np.asarray(features.predict_on_batch(np.stack([crop.pixels for crop in crops])), np.float32))
        places += [crop.box for crop in crops if crop.box is not None]
    return np.concatenate(seen), np.stack(places)


def _validation_features(
    features: keras.Model, samples: Sequence[Sample], settings: Settings
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    shape = settings.input
    crops = read_crops(samples, size=shape.size, margin=shape.margin)
    seen = [np.asarray(features.predict_on_batch(batch), np.float32) for batch in in_batches(crops)]
    faces, boxes = (np.array([getattr(sample, name) for sample in samples]) for name in ("face", "box"))
    return np.concatenate(seen), relative_boxes(faces, boxes)
