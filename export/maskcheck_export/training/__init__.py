"""Fine-tuning of the Keras classifier, by a recipe."""
