"""Where samples come from: an LSL inlet, a recording, the synthetic generator."""
