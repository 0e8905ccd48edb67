"""The refusals of the server, each with its HTTP status and a stable code."""

from __future__ import annotations


class ServingError(Exception):
    """A request that is not answered with 2xx. The caller sees the message."""

    status = 500
    code = "internal"


class BadRequestError(ServingError):
    """The body is not as it must be; the message names the row and the field."""

    status, code = 400, "bad_request"


class ModelRefusedError(ServingError):
    """The folder holds no model of ours."""

    status, code = 400, "model_refused"


class ModelNotLoadedError(ServingError):
    """No model of that name is loaded."""

    status, code = 404, "model_not_loaded"


class NotAcceptableError(ServingError):
    """The server can answer none of the types in Accept."""

    status, code = 406, "not_acceptable"


class BodyTimeoutError(ServingError):
    """The caller stopped sending in the middle of the body."""

    status, code = 408, "request_timeout"


class ModelAlreadyLoadedError(ServingError):
    """A model of that name is already loaded."""

    status, code = 409, "model_already_loaded"


class OtherModelError(ServingError):
    """The model does not have the digest that the caller expects."""

    status, code = 412, "model_differs"


class TooLargeError(ServingError):
    """The body is longer than the server reads."""

    status, code = 413, "request_entity_too_large"


class UnsupportedMediaTypeError(ServingError):
    """The body has a type that the server does not read."""

    status, code = 415, "unsupported_media_type"


class BusyError(ServingError):
    """The server reads as many bodies as it can."""

    status, code = 503, "busy"


class ModelLoadTimeoutError(ServingError):
    """A load did not end in time; it was given up, and the model can be loaded again."""

    status, code = 504, "model_load_timeout"


class ModelMemoryError(ServingError):
    """There is no memory for another model; SageMaker then unloads one and asks again."""

    status, code = 507, "no_memory_for_model"
