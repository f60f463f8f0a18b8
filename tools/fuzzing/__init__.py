"""The targets of tools/fuzz.py: each parser of ours, from the bytes of a file, a stream or another process to their use."""
