"""Files to chunks, and tables of events: every format is read in pieces, in µV."""
