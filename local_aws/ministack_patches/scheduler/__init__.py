"""EventBridge Scheduler: when schedules are due, what is refused, and whose rights their targets need."""
