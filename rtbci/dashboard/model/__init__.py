"""What the dashboard shows, without Qt: feed, clock, history, timeline, event log, state text."""
