"""Which scenarios a run measures, and the processes that it starts for them."""
