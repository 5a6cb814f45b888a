"""Second looks: what a detector proposes is scored, and moved to the face, by how it looks."""
