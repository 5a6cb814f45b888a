"""Quantisation of the networks of detectors."""
