"""Telling operators while a release goes on: off unless the stack asks for it, and never a reason to fail."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from tenant_experience.aws import link_signature, notifications

logger = logging.getLogger(__name__)


def tell(release: str, write: Callable[[str], tuple[str, str]]) -> None:
    """Sends a notice to the operators, if ``STAGE_NOTICES`` is ``true``.

    Args:
        release: the release's id.
        write: gives the subject and the text, from the link to the page of the run.
    """
    if os.environ.get("STAGE_NOTICES") != "true":
        return
    try:
        notifications.send(*write(link_signature.link_to_run(release)))
    except (BotoCoreError, ClientError) as error:
        logger.warning("a stage of release %s was not told: %s", release, type(error).__name__)
