"""The live release, the approval that makes one live, and the e-mails about it."""

__all__ = [
    "approval",
    "approval_email",
    "approver",
    "brief",
    "confirmation",
    "cost",
    "decision",
    "failure",
    "failure_email",
    "partition_result",
    "release",
    "scoring_run",
    "smoke_comparison",
    "vote",
]
