"""Changes training faces at random, as cameras, streets and masks do."""
