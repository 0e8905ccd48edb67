"""What the HTTPS API answers: predictions in words, and problems with a stable code."""

__all__ = ["prediction", "problem"]
