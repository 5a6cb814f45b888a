"""The keys of a recipe, the reading of a recipe, and the recipes of the package."""
