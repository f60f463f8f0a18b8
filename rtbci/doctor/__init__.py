"""What a machine lacks, and what to do about it: `report` runs the checks of `network` and `machine`."""
