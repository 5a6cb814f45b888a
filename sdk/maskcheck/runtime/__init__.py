"""Running ONNX files: which runtime is installed, sessions within limits of time and memory, CPUs and providers."""
