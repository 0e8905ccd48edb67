"""The e-mail about a file of the queue that cannot be read."""

from __future__ import annotations

from tenant_experience.readable_text import readable_without_links


def write(key: str, message: str, code: str) -> tuple[str, str]:
    """The subject and the text.

    Args:
        key: of the file.
        message: why, as a sentence.
        code: the same as a code.
    """
    name = readable_without_links(key)
    lines = [
        f"The file {name} was refused, and none of its rows was scored.",
        "",
        "What happened",
        f"{readable_without_links(message).rstrip('.')}.",
        "",
        "What to do next",
        "Correct the file and upload it again, under the same name or another.",
        "",
        "For the operator",
        f"Error: UserError.{code}",
    ]
    return f"File {readable_without_links(key.rpartition('/')[2])} was refused", "\n".join(lines)
