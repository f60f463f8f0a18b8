"""The dashboard: the only place that imports Qt."""
