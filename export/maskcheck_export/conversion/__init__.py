"""From a trained Keras classifier to verified ONNX files with a model card."""
