"""ONNX graphs of classifiers and detectors: the versions that they may have, and their quantisation."""
