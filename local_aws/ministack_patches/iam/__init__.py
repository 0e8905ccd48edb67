"""Who calls, what they may do, and the log of what was allowed."""
