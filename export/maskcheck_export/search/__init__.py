"""Searches for better settings of a recipe."""
