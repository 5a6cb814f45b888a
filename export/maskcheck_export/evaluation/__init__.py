"""Measures a classifier on labelled faces, and writes the report with its plots."""
