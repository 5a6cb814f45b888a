"""Makes a training repeatable: the same seed gives the same network, also if the training was stopped and resumed."""

from __future__ import annotations

import keras

from maskcheck_export.training.batches import TrainingBatches


def make_repeatable(seed: int) -> None:
    """Let first weights and operations depend only on the seed, not on the timing of threads."""
    # Keras numbers the names of layers in a process, and TensorFlow adds gradients in the order of these names.
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


class RepeatableEpochs(keras.callbacks.Callback):  # type: ignore[misc]
    """Lets order, augmentation and dropout of an epoch depend only on the seed and the number of the epoch."""

    def __init__(self, batches: TrainingBatches, seed: int) -> None:
        super().__init__()
        self._batches, self._seed = batches, seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Set the seeds of the epoch."""
        self._batches.begin(epoch)
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.Dropout) and layer.rate:
                # The second number counts calls; epochs start far apart.
                layer.seed_generator.state.assign([self._seed, epoch << 20])
