"""The live models, downloaded to compare new ones with them."""

from __future__ import annotations

import logging
from pathlib import Path

from botocore.exceptions import ClientError

from tenant_experience.aws import model_archives
from tenant_experience.aws.release_table import read_live
from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError
from tenant_experience.evaluation.champion import Champion
from tenant_experience.groups.earlier_rules import EarlierRules, read_rules
from tenant_experience.models.digests import difference
from tenant_experience.release.release import LiveRelease, PublishedModel

_log = logging.getLogger("live_models")


def live_models() -> LiveRelease | None:
    """The release pointer; None before the first release."""
    return read_live(setting("USE_CASE"))


def fetch_champion(model: PublishedModel, folder: Path) -> Champion:
    """Downloads and unpacks one model's archive into a new ``folder``.

    The folder is incomplete when there is no archive, or none that can be unpacked: the comparison then says so, and
    does not stop the release that would replace the model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        model_archives.fetch(model, folder)
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise
    except PlatformError as error:
        _log.warning("the live model is not compared: %s", error)
    return Champion(model.version, folder, model.digest)


def fetch_live_rules(model: PublishedModel, folder: Path) -> EarlierRules:
    """The rule and the yardstick of a live model, whose archive goes into ``folder``; or why they are not known."""
    champion = fetch_champion(model, folder)
    if model.digest and (found := difference(champion.folder, model.digest)):
        return EarlierRules(unreadable=f"the archive of the live model is not the one that was registered ({found})")
    rules = read_rules(champion.folder)
    return rules if rules.live else EarlierRules(unreadable="the archive of the live model has no groups to be read")
