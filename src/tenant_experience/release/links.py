"""What the signature of a link is of: each kind of link begins with its own word, so that none passes for another."""

from __future__ import annotations


def run_text(release: str) -> bytes:
    """What is signed in a link to the page of a run. It lets its holder read, and nothing else.

    Args:
        release: the release's id, or that of a roll-back.
    """
    return f"run\n{release}".encode()


def take_back_text(approval_id: str, execution_arn: str, expires_at: int, address: str) -> bytes:
    """What is signed in a link by which one approver can take a release back.

    Args:
        approval_id: the request that was approved.
        execution_arn: the execution that asked.
        expires_at: of the request, Unix seconds.
        address: the approver's.
    """
    return f"take-back\n{approval_id}\n{execution_arn}\n{expires_at}\n{address.lower()}".encode()
