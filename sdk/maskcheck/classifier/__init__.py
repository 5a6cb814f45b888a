"""The mask classifier: its model file, how it is to run here, and what it makes of face crops."""
