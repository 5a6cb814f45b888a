"""Face detectors: their interface, the registry that finds them, and the built-in Haar cascade."""
