"""SageMaker Model Registry: one package group per partition, one package per release of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from tenant_experience.evaluation.model_card import CardLinks

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

_MAX_DESCRIPTION = 1024


@cache
def sagemaker() -> SageMakerClient:
    """One client per process, made on first use."""
    return boto3.client("sagemaker")


@dataclass(frozen=True)
class Candidate:
    """One trained model, as the registry is to know it.

    Attributes:
        group: the package group's name.
        release: the release that made it.
        links: ``s3://`` addresses of what it is and what is said of it, and the container that serves it.
        metadata: further figures, name -> text of at most 256 characters.
        card: the content of its model card.
    """

    group: str
    release: str
    links: CardLinks
    metadata: Mapping[str, str]
    card: str


def register(candidate: Candidate) -> str:
    """Create the package, pending; the same release of the same group always gives the same package.

    How long SageMaker remembers a ClientToken is not said, and a redrive may come days later: the group is asked first.

    Returns:
        the package's ARN.
    """
    _ensure_group(candidate.group)
    description = f"Release {candidate.release}"
    registered = _find(candidate.group, description)
    if registered is not None:
        return registered
    return sagemaker().create_model_package(
        ModelPackageGroupName=candidate.group,
        ModelPackageDescription=description,
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
    """Write the decision and its reason into the package, and close its card. Doing so again changes nothing.

    An archived card takes no other content, so its status alone is told.
    """
    sagemaker().update_model_package(
        ModelPackageArn=package_arn,
        ModelApprovalStatus="Approved" if approved else "Rejected",
        ApprovalDescription=reason[:_MAX_DESCRIPTION],
        ModelCard={"ModelCardStatus": "Approved" if approved else "Archived"},
    )


def _ensure_group(name: str) -> None:
    """Create the group unless it is there.

    SageMaker answers an existing name with a bare ValidationException, which says nothing to rely on: whether the
    group exists is asked for, not guessed from the text of a refusal.
    """
    try:
        sagemaker().create_model_package_group(
            ModelPackageGroupName=name, ModelPackageGroupDescription="Tenant experience models of one partition"
        )
    except ClientError:
        sagemaker().describe_model_package_group(ModelPackageGroupName=name)


def _find(group: str, description: str) -> str | None:
    """The ARN of the package of that description, or None."""
    pages = sagemaker().get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    for package in (package for page in pages for package in page["ModelPackageSummaryList"]):
        if package.get("ModelPackageDescription") == description:
            return package["ModelPackageArn"]
    return None


def metadata_of(row: Mapping[str, Any]) -> dict[str, str]:
    """The figures of an evaluated partition that fit a package's metadata."""
    figures = {name: f"{value:.6g}" for name, value in row.get("metrics", {}).items()}
    return {
        **figures,
        "partition": str(row["slug"]),
        "scale": str(row.get("scale", "")),
        "tenants": str(row.get("tenants", "")),
    }
