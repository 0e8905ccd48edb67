"""SageMaker Model Registry: one package group per partition, one package per release of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.literals import ModelApprovalStatusType

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
        image: the container that serves it.
        model_url: ``s3://`` address of its archive.
        evaluation_url: ``s3://`` address of its evaluation, JSON.
        report_url: ``s3://`` address of its report.
        metadata: further figures, name -> text of at most 256 characters.
    """

    group: str
    release: str
    image: str
    model_url: str
    evaluation_url: str
    report_url: str
    metadata: Mapping[str, str]


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
            "Containers": [{"Image": candidate.image, "ModelDataUrl": candidate.model_url}],
            "SupportedContentTypes": ["text/csv", "application/json"],
            "SupportedResponseMIMETypes": ["text/csv", "application/json"],
        },
        ModelMetrics={
            "ModelQuality": {
                "Statistics": {"ContentType": "application/json", "S3Uri": candidate.evaluation_url},
            }
        },
        CustomerMetadataProperties={
            **candidate.metadata,
            "release": candidate.release,
            "report": candidate.report_url,
        },
        ClientToken=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{candidate.group}/{candidate.release}")),
    )["ModelPackageArn"]


def decide(package_arn: str, status: ModelApprovalStatusType, reason: str) -> None:
    """Write the decision and its reason into the package. Doing so again changes nothing."""
    sagemaker().update_model_package(
        ModelPackageArn=package_arn, ModelApprovalStatus=status, ApprovalDescription=reason[:_MAX_DESCRIPTION]
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
