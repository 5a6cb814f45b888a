"""Recording: annotated video with the sound of its source, a summary, and a chart of it."""
