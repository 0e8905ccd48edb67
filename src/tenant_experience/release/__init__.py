"""The live release, the approval that makes one live, and the e-mails about it."""

__all__ = [
    "approval",
    "approval_email",
    "approver",
    "cause",
    "decision",
    "decision_record",
    "failure",
    "failure_email",
    "links",
    "outcome_email",
    "partition_result",
    "release",
    "reminder",
    "run_history",
    "run_page",
    "scoring_run",
    "smoke_comparison",
    "stage_email",
    "vote",
    "webhook",
]
