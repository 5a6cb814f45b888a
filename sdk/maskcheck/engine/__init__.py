"""From frames to results: threads that prepare frames ahead, and batches of faces that several frames share."""
