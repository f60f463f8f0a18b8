"""Offline answers and how good they are."""
