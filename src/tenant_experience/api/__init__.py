"""The answers of the HTTPS API: predictions in words, and problems with a stable code."""

__all__ = [
    "browser_form",
    "http",
    "kept_answer",
    "prediction",
    "problem",
    "route_family",
]
