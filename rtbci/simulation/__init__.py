"""Synthetic EEG for training, tests and benchmarks: seeded, with known events."""
