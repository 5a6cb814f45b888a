"""Running ONNX files: the installed runtime, its providers, the CPU, and sessions with limits of time and memory."""
