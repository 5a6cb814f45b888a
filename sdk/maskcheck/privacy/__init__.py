"""Privacy: faces are blurred before anything is written, in videos also where the detector misses them."""
