"""What the machine could do at best, so that each figure also reads as a share of it."""
