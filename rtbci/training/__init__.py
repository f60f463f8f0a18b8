"""Recordings and labels in, a pipeline file out."""
