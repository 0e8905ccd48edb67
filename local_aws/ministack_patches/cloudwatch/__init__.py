"""CloudWatch: metrics in log lines, and alarms."""
