"""Face detectors: their interface, the registry that finds them, and those that are built in."""
