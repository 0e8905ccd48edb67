"""The report of a release and the list of tenants who wait for somebody."""

__all__ = [
    "action_files",
    "brief",
    "change_files",
    "outcome_scores",
    "page_pictures",
    "pictures",
    "plots",
    "report",
    "risk_list",
    "share_pictures",
]
