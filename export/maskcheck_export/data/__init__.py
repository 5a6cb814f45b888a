"""Labelled faces: listing them, finding near-duplicates, splitting them, and packing them for training."""
