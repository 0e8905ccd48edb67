"""The live release, the approval that makes one live, and the e-mails about it."""

__all__ = [
    "approval",
    "approval_email",
    "approver",
    "confirmation",
    "decision",
    "failure",
    "failure_email",
    "partition_result",
    "release",
    "roll_out",
    "scoring_run",
    "smoke_comparison",
    "vote",
]
