"""The plots over time: traces, probability, trend, and what they are made of."""
