"""Made-up EEG, for training, tests and benchmarks: seeded, with the events that were put in."""
