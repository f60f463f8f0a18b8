"""Alarms of the signal: from decisions to what rings, until a person acknowledges it."""
