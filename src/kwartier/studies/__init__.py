"""Studies of the market: the same days settled in several ways, and what that changes."""
