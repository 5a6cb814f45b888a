"""The judge of a detector: what it proposes is scored, and moved to the face, by how it looks."""
