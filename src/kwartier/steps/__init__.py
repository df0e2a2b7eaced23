"""The market's rules: pure, one file a step, in the order of the way."""
