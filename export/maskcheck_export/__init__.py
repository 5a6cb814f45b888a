"""Trains mask classifiers and converts them to the ONNX files that ``maskcheck`` reads."""
