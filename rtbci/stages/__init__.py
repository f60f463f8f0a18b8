"""Stages before and after the network, each beside its own settings."""
