"""Reports: how they are made, read, compared and written."""
