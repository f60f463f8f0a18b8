"""Nested cross-validation of taggers: whole subjects left out, and every choice made without them."""
