"""Libraries that run the classifier, and programs that do the whole task: on the same inputs, with the same threads."""
