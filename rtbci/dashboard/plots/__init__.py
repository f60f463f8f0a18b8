"""The plots over time: traces, probability, overview, and what they are made of."""
