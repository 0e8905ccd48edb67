"""The queue: a file below ``inference/`` becomes messages of a few rows each, and each row an answer or a failure.

``arrival`` is the file, ``size`` whether it is small enough, ``reading`` its rows, ``message`` how they travel,
``row_scoring`` what becomes of them, and ``file_evaluation`` how good the answers were. No module calls AWS.
"""

__all__ = [
    "arrival",
    "evaluation_email",
    "file_evaluation",
    "message",
    "progress",
    "reading",
    "refusal_email",
    "row_scoring",
    "size",
]
