"""Files to chunks, and event tables: every format is read in parts, in µV."""
