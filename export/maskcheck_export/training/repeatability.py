"""The same seed gives the same training, in one go or resumed."""

from __future__ import annotations

import keras

from maskcheck_export.training.batches import TrainingBatches


def make_repeatable(seed: int) -> None:
    """Make initial weights and every operation depend on the seed alone, not on the timing of threads."""
    # Names of layers are counted on in a process, and TensorFlow adds gradients in the order of their names.
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


class RepeatableEpochs(keras.callbacks.Callback):  # type: ignore[misc]
    """Lets order, augmentation and dropout of an epoch depend on the seed and its number alone."""

    def __init__(self, batches: TrainingBatches, seed: int) -> None:
        super().__init__()
        self._batches, self._seed = batches, seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Seed by the epoch's number."""
        self._batches.begin(epoch)
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.Dropout) and layer.rate:
                # The second number counts calls: epochs start far apart.
                layer.seed_generator.state.assign([self._seed, epoch << 20])
