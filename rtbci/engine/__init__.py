"""The live loop, in a process of its own."""
