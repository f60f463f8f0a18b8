"""A recording as an amplifier: over LSL, at any speed, with faults on request."""
