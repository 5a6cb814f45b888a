"""Lists labelled faces, finds near-duplicates, splits the faces, and packs them for training."""
