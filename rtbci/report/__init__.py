"""A report that a person can read: one HTML page without a network, or a PDF."""
