"""The fixtures of this folder, which other folders import too."""

from local_aws.tests.sagemaker.fixtures import endpoint_url, image, make, s3, sagemaker

__all__ = ["endpoint_url", "image", "make", "s3", "sagemaker"]
