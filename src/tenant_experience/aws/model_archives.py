"""Models' archives in the data bucket: fetched, and checked against what was registered."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from botocore.exceptions import ClientError

from tenant_experience.aws.objects import s3
from tenant_experience.data_layout import MODEL_ARCHIVE, MODELS
from tenant_experience.environment import setting
from tenant_experience.errors import PlatformError
from tenant_experience.jobs.archive import extract_archive
from tenant_experience.models.digests import ModelDiffersError, difference
from tenant_experience.release.release import PublishedModel


def fetch(model: PublishedModel, folder: Path) -> None:
    """Downloads and unpacks the model's archive into ``folder``.

    Raises:
        botocore.exceptions.ClientError: S3 does not give it.
        PlatformError: ``corrupt_archive`` or ``unsafe_archive``.
    """
    archive = folder / MODEL_ARCHIVE
    s3().download_file(setting("DATA_BUCKET"), f"{MODELS}/{model.key}", str(archive))
    extract_archive(archive, folder)
    archive.unlink()


def check_registered(model: PublishedModel) -> None:
    """Compares the archive, as it is in the bucket now, with the digest that was registered.

    Raises:
        ModelDiffersError: ``model_differs`` or ``model_missing``; the message names the archive and what to do.
    """
    where = f"the model {MODELS}/{model.key} in the bucket {setting('DATA_BUCKET')}"
    advice = (
        "Find out who changed it (the bucket keeps its versions), and either put back the version that EvaluateModel "
        "wrote and redrive the execution, or upload the batch again"
    )
    with TemporaryDirectory() as folder:
        try:
            fetch(model, Path(folder))
            found = difference(Path(folder), model.digest)
        except ClientError as error:
            # Whoever may not list a bucket is answered 403 for an object that does not exist.
            if error.response["Error"]["Code"] not in ("403", "404"):
                raise
            raise ModelDiffersError(
                f"{where} was registered, but is missing there or may not be read. {advice}", code="model_missing"
            ) from error
        except PlatformError as error:
            found = error.message.replace(folder, "").lstrip("/")
    if found:
        raise ModelDiffersError(f"{where} is not the one that was registered: {found}. {advice}", code="model_differs")
