"""SageMaker Model Registry: one package group per partition, and one package in it per release."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from tenant_experience.errors import PlatformError
from tenant_experience.evaluation.model_card import CardLinks
from tenant_experience.release.partition_result import PartitionResult

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import ModelPackageSummaryTypeDef

_MAX_DESCRIPTION = 1024
# The package's property with the model's digest: the SHA-256 of the model.json in its archive.
DIGEST = "model_json_sha256"


@cache
def sagemaker() -> SageMakerClient:
    """One client per process, made on first use."""
    return boto3.client("sagemaker")


@dataclass(frozen=True)
class Candidate:
    """One trained model, as it is registered.

    Attributes:
        group: the package group's name.
        release: the release that made it.
        links: the ``s3://`` addresses of the model and of the documents about it, and the container that serves it.
        metadata: further figures, name -> text of at most 256 characters.
        card: the content of its model card.
    """

    group: str
    release: str
    links: CardLinks
    metadata: Mapping[str, str]
    card: str


def register(candidate: Candidate) -> str:
    """Creates the package, pending; the same release of the same group always gives the same package.

    SageMaker does not document how long it remembers a ClientToken, and a redrive may come days later, so the group is
    searched first.

    Returns:
        The package's ARN.
    """
    _ensure_group(candidate.group)
    registered = _find(candidate.group, candidate.release)
    if registered is not None:
        return registered
    return sagemaker().create_model_package(
        ModelPackageGroupName=candidate.group,
        ModelPackageDescription=_description(candidate.release),
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [{"Image": candidate.links.image, "ModelDataUrl": candidate.links.model}],
            "SupportedContentTypes": ["text/csv", "application/json"],
            "SupportedResponseMIMETypes": ["text/csv", "application/json"],
        },
        ModelMetrics={
            "ModelQuality": {
                "Statistics": {"ContentType": "application/json", "S3Uri": candidate.links.evaluation},
            }
        },
        CustomerMetadataProperties={
            **candidate.metadata,
            "release": candidate.release,
            "report": candidate.links.report,
        },
        ModelCard={"ModelCardContent": candidate.card, "ModelCardStatus": "PendingReview"},
        ClientToken=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{candidate.group}/{candidate.release}")),
    )["ModelPackageArn"]


def decide(package_arn: str, *, approved: bool, reason: str) -> None:
    """Writes the decision and its reason into the package, and closes its card. Doing so again changes nothing.

    An archived card accepts no other content, so only its status is sent.
    """
    sagemaker().update_model_package(
        ModelPackageArn=package_arn,
        ModelApprovalStatus="Approved" if approved else "Rejected",
        ApprovalDescription=reason[:_MAX_DESCRIPTION],
        ModelCard={"ModelCardStatus": "Approved" if approved else "Archived"},
    )


def _ensure_group(name: str) -> None:
    """Creates the group unless it exists.

    SageMaker refuses an existing name with a plain ValidationException, whose text is nothing to rely on, so a second
    call asks whether the group exists.
    """
    try:
        sagemaker().create_model_package_group(
            ModelPackageGroupName=name, ModelPackageGroupDescription="Models of one partition"
        )
    except ClientError:
        sagemaker().describe_model_package_group(ModelPackageGroupName=name)


def registered_digest(group: str, release: str) -> str:
    """The digest of a registered model; empty when an earlier version of this program trained it.

    Raises:
        PlatformError: ``not_registered`` when the group has no package of that release.
    """
    found = _find(group, release)
    if found is None:
        raise PlatformError(
            f"the package group {group} has no model of release {release}; upload the batch again",
            code="not_registered",
        )
    package = sagemaker().describe_model_package(ModelPackageName=found)
    return package.get("CustomerMetadataProperties", {}).get(DIGEST, "")


def put_back(group: str, release: str, *, reason: str) -> None:
    """Approves the package of an earlier release again, and rejects the approved ones that were made after it.

    Args:
        group: the package group's name.
        release: whose package answers again; empty when none of this group does, so that all are rejected.
        reason: who decided, and why.

    Raises:
        PlatformError: ``not_registered`` when the group has no package of that release.
    """
    found = _packages(group)
    kept = [each for each in found if release and each.get("ModelPackageDescription") == _description(release)]
    if release and not kept:
        raise PlatformError(f"the package group {group} has no model of release {release}", code="not_registered")
    for each in found:
        is_newer = not kept or each["CreationTime"] > kept[0]["CreationTime"]
        if is_newer and each.get("ModelApprovalStatus") == "Approved":
            decide(each["ModelPackageArn"], approved=False, reason=reason)
    for each in kept[:1]:
        decide(each["ModelPackageArn"], approved=True, reason=reason)


def _description(release: str) -> str:
    return f"Release {release}"


def _find(group: str, release: str) -> str | None:
    """The ARN of the release's package, or None."""
    description = _description(release)
    for package in _packages(group):
        if package.get("ModelPackageDescription") == description:
            return package["ModelPackageArn"]
    return None


def _packages(group: str) -> list[ModelPackageSummaryTypeDef]:
    pages = sagemaker().get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    return [package for page in pages for package in page["ModelPackageSummaryList"]]


def metadata_of(result: PartitionResult) -> dict[str, str]:
    """The figures of an evaluated partition that fit a package's metadata, and the digest of its model."""
    figures = {name: f"{value:.6g}" for name, value in result.metrics.items()}
    tenants = "" if result.tenants is None else str(result.tenants)
    digest = {DIGEST: result.digest} if result.digest else {}
    return {**figures, **digest, "partition": result.slug, "scale": result.scale, "tenants": tenants}
