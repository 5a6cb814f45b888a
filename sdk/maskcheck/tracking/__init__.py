"""Tracks: the same face in every frame of a video has the same number, and a label that does not flicker."""
