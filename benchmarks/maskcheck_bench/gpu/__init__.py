"""The classifier on an NVIDIA GPU: every way to run it there, and the GPU's own peak."""
