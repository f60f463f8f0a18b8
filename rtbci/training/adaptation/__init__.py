"""A trained pipeline adapted to a new patient, or to today's session."""
