"""The mask classifier: its model file, how it runs, and the labels that it gives to face crops."""
