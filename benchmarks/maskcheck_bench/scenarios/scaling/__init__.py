"""How time and memory grow: with faces, pixels, batches, threads, processes, and with every picture that was done."""
