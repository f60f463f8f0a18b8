"""What crosses between an engine and those who watch it: shared memory, messages, commands."""
