"""Benchmark of tracking: faces of a simulator, whose identities are known."""
