"""Models and endpoint configurations, from which endpoints are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from local_aws.sagemaker.core import listing, tags
from local_aws.sagemaker.core.context import Context
from local_aws.sagemaker.core.errors import ServiceError, not_emulated, validation_error
from local_aws.sagemaker.core.storage import split_uri
from local_aws.sagemaker.core.validation import refuse_others

MODEL = "Model"
CONFIG = "EndpointConfig"
_MULTI_MODEL_LABEL = "com.amazonaws.sagemaker.capabilities.multi-models"
_MODEL_REQUEST = frozenset(
    {"ModelName", "PrimaryContainer", "ExecutionRoleArn", "Tags", "VpcConfig", "EnableNetworkIsolation"}
)
_CONTAINER = frozenset({"ContainerHostname", "Image", "Mode", "ModelDataUrl", "Environment", "MultiModelConfig"})
_CONFIG_REQUEST = frozenset({"EndpointConfigName", "ProductionVariants", "Tags", "KmsKeyId", "EnableNetworkIsolation"})
_VARIANT = frozenset(
    {"VariantName", "ModelName", "InitialInstanceCount", "InstanceType", "InitialVariantWeight", "VolumeSizeInGB"}
    | {"ModelDataDownloadTimeoutInSeconds", "ContainerStartupHealthCheckTimeoutInSeconds"}
)


def not_there(what: str, arn: str) -> ServiceError:
    """SageMaker's error for a hosting resource that does not exist."""
    return validation_error(f'Could not find {what} "{arn}".')


class Models:
    """CreateModel, CreateEndpointConfig and related operations."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def operations(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """Operation name -> method that answers it."""
        return {
            "CreateModel": self.create_model,
            "DescribeModel": lambda request: self.model(request["ModelName"]),
            "DeleteModel": lambda request: self._delete(MODEL, "model", request["ModelName"], "model"),
            "ListModels": lambda request: self._list(MODEL, request),
            "CreateEndpointConfig": self.create_config,
            "DescribeEndpointConfig": lambda request: self.config(request["EndpointConfigName"]),
            "DeleteEndpointConfig": lambda request: self._delete(
                CONFIG, "endpoint-config", request["EndpointConfigName"], "endpoint configuration"
            ),
            "ListEndpointConfigs": lambda request: self._list(CONFIG, request),
        }

    def create_model(self, request: dict[str, Any]) -> dict[str, Any]:
        """Keep a model's description, when its image, its role and its data exist."""
        refuse_others("CreateModel", request, _MODEL_REQUEST)
        for name in ("PrimaryContainer", "ExecutionRoleArn"):
            if name not in request:
                raise not_emulated("CreateModel", f"no {name}")
        container = request["PrimaryContainer"]
        refuse_others("CreateModel", container, _CONTAINER, "PrimaryContainer.")
        if "Image" not in container:
            raise not_emulated("CreateModel", "a PrimaryContainer without Image")
        image = self.context.image(container["Image"])
        if container.get("Mode") == "MultiModel":
            if "ModelDataUrl" not in container:
                raise validation_error("ModelDataUrl is required for a container in MultiModel mode.")
            if image.labels.get(_MULTI_MODEL_LABEL) != "true":
                raise validation_error(
                    f"Your Ecr Image {container['Image']} does not contain required {_MULTI_MODEL_LABEL}=true "
                    "Docker label(s)."
                )
        elif "ModelDataUrl" in container:
            self._check_model_data(container["ModelDataUrl"], request["ExecutionRoleArn"])
        container.setdefault("Mode", "SingleModel")
        return self._create(MODEL, "model", request)

    def _check_model_data(self, uri: str, role: str) -> None:
        bucket, key = split_uri(uri)
        storage = self.context.storage(role, "SageMaker")
        try:
            storage.client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                raise validation_error(f"Could not find model data at {uri}.") from error
            raise validation_error(
                f'Could not access model data at {uri}. Please ensure that the role "{role}" exists and that its '
                'trust relationship policy allows the action "sts:AssumeRole" for the service principal '
                '"sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" permissions and that the '
                f"object is located in {self.context.region}."
            ) from error

    def create_config(self, request: dict[str, Any]) -> dict[str, Any]:
        """Keep an endpoint's configuration: one variant, whose instances are one process here."""
        refuse_others("CreateEndpointConfig", request, _CONFIG_REQUEST)
        if len(request["ProductionVariants"]) != 1:
            raise not_emulated("CreateEndpointConfig", "more than one production variant")
        variant = request["ProductionVariants"][0]
        refuse_others("CreateEndpointConfig", variant, _VARIANT, "ProductionVariants.")
        variant.setdefault("InitialInstanceCount", 1)
        self.model(variant["ModelName"])
        variant.setdefault("InitialVariantWeight", 1.0)
        return self._create(CONFIG, "endpoint-config", request)

    def model(self, name: str) -> dict[str, Any]:
        """A model's description.

        Raises:
            ServiceError: ValidationException, it does not exist.
        """
        return self._get(MODEL, "model", name, "model")

    def config(self, name: str) -> dict[str, Any]:
        """An endpoint configuration.

        Raises:
            ServiceError: ValidationException, it does not exist.
        """
        return self._get(CONFIG, "endpoint-config", name, "endpoint configuration")

    def _create(self, kind: str, arn_kind: str, request: dict[str, Any]) -> dict[str, Any]:
        name = request[f"{kind}Name"]
        arn = self.context.arn(arn_kind, name)
        document = {key: value for key, value in request.items() if key != "Tags"}
        document |= {f"{kind}Arn": arn, "CreationTime": self.context.now()}
        document.setdefault("EnableNetworkIsolation", False)
        if not self.context.store.insert(kind, name, document):
            what = {MODEL: "model", CONFIG: "endpoint configuration"}[kind]
            raise validation_error(f'Cannot create already existing {what} "{arn}".')
        tags.keep(self.context.store, arn, request.get("Tags", []))
        return {f"{kind}Arn": arn}

    def _get(self, kind: str, arn_kind: str, name: str, what: str) -> dict[str, Any]:
        found = self.context.store.get(kind, name)
        if found is None:
            raise not_there(what, self.context.arn(arn_kind, name))
        return found

    def _delete(self, kind: str, arn_kind: str, name: str, what: str) -> dict[str, Any]:
        arn = self.context.arn(arn_kind, name)
        if not self.context.store.delete(kind, name):
            raise not_there(what, arn)
        tags.forget(self.context.store, arn)
        return {}

    def _list(self, kind: str, request: dict[str, Any]) -> dict[str, Any]:
        shown = (f"{kind}Name", f"{kind}Arn", "CreationTime")
        items = [{key: document[key] for key in shown} for document in self.context.store.all(kind)]
        found, token = listing.page(items, request, name=f"{kind}Name", newest_first=True)
        return listing.answer(f"{kind}s", found, token)
