"""How time and memory grow with faces, pixels, batches, threads, processes, and the number of pictures."""
