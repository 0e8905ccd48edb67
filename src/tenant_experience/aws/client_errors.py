"""One name for a refused AWS call, so that the state machine can retry it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from botocore.exceptions import ClientError

Handler = Callable[[dict[str, Any], object], dict[str, Any]]


def named(handler: Handler) -> Handler:
    """Lets a refused AWS call leave the function as ``ClientError``, whatever its code.

    Lambda names an error by its class, and a Retry matches that name; but botocore makes a class of its own for every
    code that a service's model knows: ``KMSThrottlingException``, ``ResourceInUse``, ``InternalServerError``.
    """

    @wraps(handler)
    def call(event: dict[str, Any], context: object) -> dict[str, Any]:
        try:
            return handler(event, context)
        except ClientError as error:
            raise ClientError(error.response, error.operation_name) from error

    return call
