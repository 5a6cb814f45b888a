"""Pictures: where they are found, how they are decoded and within which limits, how faces are cut out and drawn."""
