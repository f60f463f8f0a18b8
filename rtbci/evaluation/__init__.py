"""Offline answers, and how accurate they are."""
