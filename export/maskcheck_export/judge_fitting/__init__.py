"""Fits the judge of a detector: which of its proposals are faces, and where exactly the faces are."""
