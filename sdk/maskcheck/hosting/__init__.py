"""Detectors and classifiers by name: those of the SDK, and those of installed plugins, which may fail alone."""
