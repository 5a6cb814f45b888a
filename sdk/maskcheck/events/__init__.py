"""Events: who enters and leaves, and when a mask comes off; zones, lines, and the ways events are delivered."""
