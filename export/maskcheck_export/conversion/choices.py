"""The choices of a conversion. Imports nothing, so that `--help` is quick."""

PRECISIONS = ("float32", "float16", "int8")
"""Precisions of the ONNX files."""

CALIBRATIONS = ("minmax", "entropy", "percentile")
"""Ways to choose the range of each activation in int8, from training crops."""
