"""What the server refuses, each with its HTTP status and a stable code."""

from __future__ import annotations


class ServingError(Exception):
    """A request that gets an answer other than 2xx. The message is shown to the caller."""

    status = 500
    code = "internal"


class BadRequestError(ServingError):
    """The body does not say what it must; the message names the row and the field."""

    status, code = 400, "bad_request"


class ModelRefusedError(ServingError):
    """The folder holds no model of ours."""

    status, code = 400, "model_refused"


class ModelNotLoadedError(ServingError):
    """No model of that name is loaded."""

    status, code = 404, "model_not_loaded"


class NotAcceptableError(ServingError):
    """None of the kinds in Accept can be answered."""

    status, code = 406, "not_acceptable"


class ModelAlreadyLoadedError(ServingError):
    """A model of that name is loaded already."""

    status, code = 409, "model_already_loaded"


class UnsupportedMediaTypeError(ServingError):
    """The body is of a kind that is not read here."""

    status, code = 415, "unsupported_media_type"


class ModelMemoryError(ServingError):
    """No memory left for another model: SageMaker unloads one and asks again."""

    status, code = 507, "no_memory_for_model"
