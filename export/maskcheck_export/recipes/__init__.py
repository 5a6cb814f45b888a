"""Recipes: the keys that one may have, how one is read, and those that come with the package."""
