"""A SageMaker whose jobs and endpoints are processes of this machine."""

from local_aws.sagemaker.core.context import Timing
from local_aws.sagemaker.core.errors import ServiceError
from local_aws.sagemaker.core.images import Image, load_image
from local_aws.sagemaker.operations import SageMaker

__all__ = ["Image", "SageMaker", "ServiceError", "Timing", "load_image"]
