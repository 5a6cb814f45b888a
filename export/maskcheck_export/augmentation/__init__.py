"""Random changes to training faces: what cameras, streets and masks do to a face."""
