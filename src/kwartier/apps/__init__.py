"""Ask a run, show a table."""
