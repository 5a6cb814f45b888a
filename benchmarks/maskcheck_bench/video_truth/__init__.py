"""The whole way from frames to tracks and events, against the truth of drawn videos."""
