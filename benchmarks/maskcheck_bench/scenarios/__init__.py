"""What can be measured: `catalogue` has the names of all scenarios."""
