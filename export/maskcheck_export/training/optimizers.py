"""The optimizer and the learning-rate schedule of a stage."""

from __future__ import annotations

import keras

from maskcheck_export.recipes.settings import Stage


def build_optimizer(stage: Stage, *, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The optimizer of a stage, with a learning-rate schedule in steps."""
    rate = _schedule(stage, steps_per_epoch)
    weight_decay = stage.weight_decay or None
    if stage.optimizer == "adam":
        return keras.optimizers.Adam(rate, weight_decay=weight_decay)
    return keras.optimizers.SGD(rate, momentum=stage.momentum, nesterov=stage.nesterov, weight_decay=weight_decay)


def _schedule(stage: Stage, steps_per_epoch: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    schedules = keras.optimizers.schedules
    match stage.schedule:
        case "cosine":
            warmup = min(round(stage.warmup_epochs * steps_per_epoch), stage.epochs * steps_per_epoch - 1)
            start, target = (0.0, stage.learning_rate) if warmup else (stage.learning_rate, None)
            steps = stage.epochs * steps_per_epoch - warmup  # Keras counts the decay from the end of the warm-up
            return schedules.CosineDecay(start, steps, warmup_target=target, warmup_steps=warmup)
        case "step":
            steps = stage.step_epochs * steps_per_epoch
            return schedules.ExponentialDecay(stage.learning_rate, steps, stage.step_factor, staircase=True)
        case "inverse_time":
            return schedules.InverseTimeDecay(stage.learning_rate, 1, stage.decay)
        case "constant":
            return stage.learning_rate
