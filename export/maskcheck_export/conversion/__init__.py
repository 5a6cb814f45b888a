"""Converts a trained model to ONNX files, checks them against the original, and writes model cards."""
