"""Keras training and conversion of the mask classifier to ONNX."""
