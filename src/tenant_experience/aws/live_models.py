"""The live models, downloaded to compare new ones with them."""

from __future__ import annotations

from pathlib import Path

from botocore.exceptions import ClientError

from tenant_experience.aws.objects import s3
from tenant_experience.aws.release_table import read_live
from tenant_experience.data_layout import MODEL_ARCHIVE, MODELS, model_archive
from tenant_experience.environment import setting
from tenant_experience.evaluation.champion import Champion
from tenant_experience.jobs.archive import extract_archive


def live_versions() -> dict[str, str]:
    """Partition slug -> version of its live model; empty before the first release."""
    live = read_live(setting("USE_CASE"))
    return dict(live.models) if live else {}


def fetch_champion(slug: str, version: str, folder: Path) -> Champion:
    """Downloads and unpacks one model's archive into a new ``folder``, which stays empty when there is no archive."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / MODEL_ARCHIVE
    try:
        s3().download_file(setting("DATA_BUCKET"), f"{MODELS}/{model_archive(slug, version)}", str(archive))
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise
        return Champion(version, folder)
    extract_archive(archive, folder)
    archive.unlink()
    return Champion(version, folder)
