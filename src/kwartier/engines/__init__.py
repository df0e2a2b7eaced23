"""Where wide() runs."""
