"""The result of training: its configuration, its file, and the stages in series that process one stream."""
