"""What crosses between an engine and its viewers: shared memory, messages, commands."""
