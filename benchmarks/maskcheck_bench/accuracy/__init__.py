"""How many faces are found and labelled right, on annotated pictures."""
