"""The live release, the approval that makes one live, and the e-mails about it."""

__all__ = [
    "approval",
    "approval_email",
    "failure",
    "failure_email",
    "partition_result",
    "release",
    "run_history",
    "scoring_run",
    "smoke_comparison",
]
