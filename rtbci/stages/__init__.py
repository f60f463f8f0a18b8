"""What a chunk passes on its way to the network and behind it: each stage beside its own settings."""
