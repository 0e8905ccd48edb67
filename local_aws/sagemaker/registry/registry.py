"""The model registry: groups of numbered model packages that a person approves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_aws.sagemaker.core import listing, tags
from local_aws.sagemaker.core.context import Context
from local_aws.sagemaker.core.errors import ServiceError, not_emulated, validation_error
from local_aws.sagemaker.core.validation import refuse_others
from local_aws.sagemaker.registry import model_cards

GROUP = "ModelPackageGroup"
PACKAGE = "ModelPackage"
_TOKEN = "ModelPackageClientToken"  # noqa: S105 a kind of document, not a secret
_PAGE = 100
_CREATE = frozenset(
    {"ModelPackageName", "ModelPackageGroupName", "ModelPackageDescription", "InferenceSpecification", "Tags"}
    | {"CertifyForMarketplace", "ModelApprovalStatus", "MetadataProperties", "ModelMetrics", "ClientToken", "Domain"}
    | {"Task", "SamplePayloadUrl", "CustomerMetadataProperties", "DriftCheckBaselines", "SkipModelValidation"}
    | {"SourceUri", "ModelCard", "ModelLifeCycle", "SecurityConfig"}
)
_UPDATE = frozenset(
    {"ModelPackageArn", "ModelApprovalStatus", "ApprovalDescription", "CustomerMetadataProperties"}
    | {"CustomerMetadataPropertiesToRemove", "SourceUri", "ModelCard", "ModelLifeCycle", "ClientToken"}
)


class Registry:
    """CreateModelPackageGroup, CreateModelPackage and related operations."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._creator = {"IamIdentity": {"Arn": f"arn:aws:iam::{context.account}:root", "PrincipalId": context.account}}

    def operations(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """Operation name -> method that answers it."""
        return {
            "CreateModelPackageGroup": self.create_group,
            "DescribeModelPackageGroup": self.describe_group,
            "DeleteModelPackageGroup": self.delete_group,
            "ListModelPackageGroups": self.list_groups,
            "CreateModelPackage": self.create_package,
            "DescribeModelPackage": self.describe_package,
            "UpdateModelPackage": self.update_package,
            "DeleteModelPackage": self.delete_package,
            "ListModelPackages": self.list_packages,
        }

    # Groups

    def create_group(self, request: dict[str, Any]) -> dict[str, Any]:
        """Create an empty group."""
        known = frozenset({f"{GROUP}Name", f"{GROUP}Description", "Tags"})
        refuse_others("CreateModelPackageGroup", request, known)
        name = request[f"{GROUP}Name"]
        arn = self.context.arn("model-package-group", name)
        document = {key: value for key, value in request.items() if key != "Tags"}
        document |= {
            f"{GROUP}Arn": arn,
            f"{GROUP}Status": "Completed",
            "CreationTime": self.context.now(),
            "CreatedBy": self._creator,
            "_versions": 0,
        }
        if not self.context.store.insert(GROUP, name, document):
            raise validation_error(f"Model Package Group already exists: {arn}")
        tags.keep(self.context.store, arn, request.get("Tags", []))
        return {f"{GROUP}Arn": arn}

    def describe_group(self, request: dict[str, Any]) -> dict[str, Any]:
        """Everything about a group."""
        return _public(self._group(request[f"{GROUP}Name"]))

    def delete_group(self, request: dict[str, Any]) -> dict[str, Any]:
        """Delete a group that has no packages left."""
        group = self._group(request[f"{GROUP}Name"])
        if any(package.get(f"{GROUP}Name") == group[f"{GROUP}Name"] for package in self.context.store.all(PACKAGE)):
            raise ServiceError(
                "ConflictException",
                f"Model Package Group {group[f'{GROUP}Arn']} still contains Model Packages: delete them first.",
            )
        self.context.store.delete(GROUP, group[f"{GROUP}Name"])
        tags.forget(self.context.store, group[f"{GROUP}Arn"])
        return {}

    def list_groups(self, request: dict[str, Any]) -> dict[str, Any]:
        """Groups by name and time, in pages."""
        if "CrossAccountFilterOption" in request:
            raise not_emulated("ListModelPackageGroups", "CrossAccountFilterOption")
        items = [
            {key: value for key, value in _public(group).items() if key != "CreatedBy"}
            for group in self.context.store.all(GROUP)
        ]
        found, token = listing.page(items, request, name=f"{GROUP}Name", default_size=_PAGE)
        return listing.answer(f"{GROUP}SummaryList", found, token)

    # Packages

    def create_package(self, request: dict[str, Any]) -> dict[str, Any]:
        """Create a version in a group, or a package without one. The same ClientToken gives the same package."""
        refuse_others("CreateModelPackage", request, _CREATE)
        client_token = request.get("ClientToken")
        if client_token and (before := self.context.store.get(_TOKEN, client_token)):
            return {f"{PACKAGE}Arn": before["Arn"]}
        if (f"{GROUP}Name" in request) == (f"{PACKAGE}Name" in request):
            raise validation_error("Exactly one of ModelPackageGroupName and ModelPackageName must be provided.")
        document = {key: value for key, value in request.items() if key not in {"Tags", "ClientToken"}}
        if "ModelCard" in request:
            document["ModelCard"] = model_cards.new_card(request["ModelCard"])
        document |= self._identity(request)
        document |= {
            f"{PACKAGE}Status": "Completed",
            f"{PACKAGE}StatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "CreationTime": self.context.now(),
            "CreatedBy": self._creator,
        }
        document.setdefault("CertifyForMarketplace", False)
        if not self.context.store.insert(PACKAGE, document[f"{PACKAGE}Arn"], document):
            raise validation_error(f"Model Package already exists: {document[f'{PACKAGE}Arn']}")
        tags.keep(self.context.store, document[f"{PACKAGE}Arn"], request.get("Tags", []))
        self._tell(document)
        if client_token:
            self.context.store.put(_TOKEN, client_token, {"Arn": document[f"{PACKAGE}Arn"]})
        return {f"{PACKAGE}Arn": document[f"{PACKAGE}Arn"]}

    def _tell(self, package: dict[str, Any]) -> None:
        """Publish the event. It has the group in place of a version's name, like DescribeModelPackage."""
        named = {f"{PACKAGE}Name": package[f"{GROUP}Name"]} if f"{GROUP}Name" in package else {}
        self.context.publish_status(PACKAGE, package | named)

    def _identity(self, request: dict[str, Any]) -> dict[str, Any]:
        if f"{PACKAGE}Name" in request:
            return {f"{PACKAGE}Arn": self.context.arn("model-package", request[f"{PACKAGE}Name"])}
        name = _last(request[f"{GROUP}Name"])
        self._group(name)
        group = self.context.store.change(GROUP, name, lambda found: found.update(_versions=found["_versions"] + 1))
        version = group["_versions"]  # never used twice, even when a version is deleted
        return {
            f"{GROUP}Name": name,
            f"{PACKAGE}Name": f"{name}/{version}",
            f"{PACKAGE}Version": version,
            f"{PACKAGE}Arn": self.context.arn("model-package", f"{name}/{version}"),
            "ModelApprovalStatus": request.get("ModelApprovalStatus", "PendingManualApproval"),
        }

    def describe_package(self, request: dict[str, Any]) -> dict[str, Any]:
        """Everything about a package, named by its ARN or its name."""
        found = self._package(request[f"{PACKAGE}Name"])
        if f"{GROUP}Name" in found:
            found[f"{PACKAGE}Name"] = found[f"{GROUP}Name"]  # as the service does for a version
        return found

    def update_package(self, request: dict[str, Any]) -> dict[str, Any]:
        """Approve, reject, describe."""
        refuse_others("UpdateModelPackage", request, _UPDATE)
        arn = self._package(request[f"{PACKAGE}Arn"])[f"{PACKAGE}Arn"]

        def apply(found: dict[str, Any]) -> None:
            properties = found.get("CustomerMetadataProperties", {}) | request.get("CustomerMetadataProperties", {})
            for key in request.get("CustomerMetadataPropertiesToRemove", []):
                properties.pop(key, None)
            if properties:
                found["CustomerMetadataProperties"] = properties
            for key in ("ModelApprovalStatus", "ApprovalDescription", "SourceUri", "ModelLifeCycle"):
                if key in request:
                    found[key] = request[key]
            if "ModelCard" in request:
                found["ModelCard"] = model_cards.changed_card(found.get("ModelCard", {}), request["ModelCard"])
            found |= {"LastModifiedTime": self.context.now(), "LastModifiedBy": self._creator}

        self._tell(self.context.store.change(PACKAGE, arn, apply))
        return {f"{PACKAGE}Arn": arn}

    def delete_package(self, request: dict[str, Any]) -> dict[str, Any]:
        """Delete a package. Its number is not used again."""
        arn = self._package(request[f"{PACKAGE}Name"])[f"{PACKAGE}Arn"]
        self.context.store.delete(PACKAGE, arn)
        tags.forget(self.context.store, arn)
        return {}

    def list_packages(self, request: dict[str, Any]) -> dict[str, Any]:
        """The versions of one group, or packages without one, in pages."""
        group = _last(request[f"{GROUP}Name"]) if f"{GROUP}Name" in request else None
        if group is not None:
            self._group(group)
        kind = request.get("ModelPackageType", "Versioned" if group is not None else "Unversioned")
        items = [
            _summary(package)
            for package in self.context.store.all(PACKAGE)
            if (group is None or package.get(f"{GROUP}Name") == group)
            and (kind == "Both" or (f"{GROUP}Name" in package) == (kind == "Versioned"))
        ]
        status = ("ModelApprovalStatus", "ModelApprovalStatus")
        found, token = listing.page(items, request, name=f"{PACKAGE}Name", status=status, default_size=_PAGE)
        for item in found:
            if f"{GROUP}Name" in item:  # the service names a version by its group, its number and its ARN
                del item[f"{PACKAGE}Name"]
        return listing.answer(f"{PACKAGE}SummaryList", found, token)

    def _group(self, name: str) -> dict[str, Any]:
        found = self.context.store.get(GROUP, _last(name))
        if found is None:
            raise validation_error(
                f"ModelPackageGroup {self.context.arn('model-package-group', _last(name))} does not exist."
            )
        return found

    def _package(self, name: str) -> dict[str, Any]:
        arn = name if name.startswith("arn:") else self.context.arn("model-package", name)
        found = self.context.store.get(PACKAGE, arn)
        if found is None:
            raise validation_error(f"ModelPackage {arn} does not exist.")
        return found


def _last(name: str) -> str:
    """A group's name, from its name or its ARN."""
    return name.rsplit("/", 1)[-1]


def _public(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if not key.startswith("_")}


def _summary(package: dict[str, Any]) -> dict[str, Any]:
    shown = (f"{PACKAGE}Name", f"{GROUP}Name", f"{PACKAGE}Version", f"{PACKAGE}Arn", f"{PACKAGE}Description")
    more = ("CreationTime", f"{PACKAGE}Status", "ModelApprovalStatus", "ModelLifeCycle")
    return {key: package[key] for key in (*shown, *more) if key in package}
