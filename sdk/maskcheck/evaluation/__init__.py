"""Annotated pictures, and how well detected boxes agree with them."""
