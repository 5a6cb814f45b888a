"""What every measurement uses: clocks, efforts, outcomes, child processes, the machine."""
