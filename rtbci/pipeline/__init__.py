"""What was learned: its configuration, its file, and the stages in series that carry one stream through it."""
