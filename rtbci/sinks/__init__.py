"""Where answers go: LSL outlets, event files, shared memory for a front end, a recorder."""
