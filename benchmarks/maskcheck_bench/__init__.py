"""Benchmarks of the classifier and of the whole pipeline."""
