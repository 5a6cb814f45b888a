"""How many faces of annotated pictures are detected and labelled right."""
