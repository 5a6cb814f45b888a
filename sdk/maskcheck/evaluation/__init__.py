"""Annotated pictures, and how well detected boxes match them."""
