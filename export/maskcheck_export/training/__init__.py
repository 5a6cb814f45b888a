"""Fine-tunes the Keras classifier, by a recipe."""
