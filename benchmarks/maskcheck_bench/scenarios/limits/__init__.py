"""The best that the machine can do, so that each time can also be read as a share of it."""
