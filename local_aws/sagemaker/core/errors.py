"""What a SageMaker call answers when it is refused: a code, a sentence and an HTTP status, as AWS sends them."""

from __future__ import annotations


class ServiceError(Exception):
    """One AWS error answer.

    Args:
        code: AWS's error code, e.g. ``ValidationException``.
        message: AWS's own wording where it is known.
        status: the HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def validation_error(message: str) -> ServiceError:
    """SageMaker's control plane refuses a request: ``ValidationException``."""
    return ServiceError("ValidationException", message)


def resource_in_use(message: str) -> ServiceError:
    """The name is taken: ``ResourceInUse``."""
    return ServiceError("ResourceInUse", message)


def not_found(message: str) -> ServiceError:
    """The resource does not exist: ``ResourceNotFound``."""
    return ServiceError("ResourceNotFound", message)


def not_emulated(operation: str, what: str | None = None) -> ServiceError:
    """Something that SageMaker can do and this emulation cannot. It is refused by name, and never ignored."""
    subject = f"{operation} with {what}" if what else operation
    return ServiceError("UnsupportedOperation", f"{subject} is not emulated by the laptop's AWS.")
