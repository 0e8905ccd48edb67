"""SageMaker's inference contract over flask: one model, or many that SageMaker loads and unloads.

Source of the multi-model routes: "Build Your Own Container for SageMaker AI Multi-Model Endpoints" in the SageMaker
developer guide. Routes parse, call one function, and answer; one handler answers every ServingError.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import xgboost  # noqa: F401 - takes a second to import, so it is done before the first ping, not in the first load
from flask import Flask, Response, current_app, request
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from container.answers import csv_answer, json_answer
from container.batch import Batch
from container.bodies import BodyReader
from container.csv_requests import read_csv
from container.json_lines import answer_lines
from container.json_requests import read_json
from container.model_store import ModelStore
from container.serving_errors import (
    BadRequestError,
    NotAcceptableError,
    OtherModelError,
    ServingError,
    UnsupportedMediaTypeError,
)
from container.serving_settings import MIB, ServingSettings
from tenant_experience.data_layout import MODEL_MANIFEST
from tenant_experience.models.digests import EXPECTED_DIGEST
from tenant_experience.models.encoding import Encoding
from tenant_experience.models.served_model import ServedModel

CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"
READERS: dict[str, Callable[[bytes, Encoding], Batch]] = {JSON: read_json, CSV: read_csv}
WRITERS: dict[str, Callable[[Batch, ServedModel], bytes]] = {JSON: json_answer, CSV: csv_answer}
# What may be sent, and what each may be answered with; the first where the caller does not ask for any.
ANSWERS = {JSON: (JSON, CSV), CSV: (JSON, CSV), JSON_LINES: (JSON_LINES,)}
# Limits a model's name and folder. On Linux, a path has at most 4,096 bytes, and each part of it at most 255.
TEXT_LIMIT = 1_024
# InvokeEndpoint passes on CustomAttributes in this header: ``name=value``, more of them after a semicolon.
_CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_SEPARATORS = re.compile("[;,]")


def create_app(settings: ServingSettings | None = None) -> Flask:
    """The application. A single model is loaded before the first request.

    Raises:
        UserError: a setting is wrong, or ``/opt/ml/model`` holds no model of ours.
    """
    settings = settings or ServingSettings.from_environment()
    app = Flask("tenant_experience")
    app.logger.setLevel(logging.INFO)
    app.register_error_handler(ServingError, _refusal)
    app.register_error_handler(HTTPException, _http_error)

    @app.get("/ping")
    def ping() -> Response:
        return Response(status=200)

    @app.get("/execution-parameters")
    def execution_parameters() -> Response:
        return _json(_execution_parameters(settings))

    predictor = _Predictor(settings)
    if settings.multi_model:
        _add_model_routes(app, ModelStore(settings.model_memory_mib * MIB), predictor)
    else:
        _add_invocations(app, ServedModel.load(settings.model_folder), predictor)
    return app


def _add_invocations(app: Flask, model: ServedModel, predictor: _Predictor) -> None:
    @app.post("/invocations")
    def invocations() -> Response:
        return predictor.predict(predictor.bodies.read(request), model)


def _add_model_routes(app: Flask, store: ModelStore, predictor: _Predictor) -> None:
    # `path` rather than a plain string, because SageMaker's opaque names may contain a slash.
    @app.get("/models")
    def list_models() -> Response:
        return _json({"models": [_description(model.name, model.url) for model in store.all()]})

    @app.post("/models")
    def load_model() -> Response:
        name, url = _load_request(predictor.bodies.read(request))
        store.load(name, url)
        app.logger.info("loaded model %s from %s", name, url)
        return _json({"modelName": name, "modelUrl": url})

    @app.get("/models/<path:name>")
    def describe_model(name: str) -> Response:
        return _json(_description(name, store.get(name).url))

    @app.delete("/models/<path:name>")
    def unload_model(name: str) -> Response:
        store.unload(name)
        app.logger.info("unloaded model %s", name)
        return _json({"modelName": name})

    @app.post("/models/<path:name>/invoke")
    def invoke_model(name: str) -> Response:
        body = predictor.bodies.read(request)
        return predictor.predict(body, store.get(name).served)


def _refuse_another_model(attributes: str, model: ServedModel) -> None:
    """Refuses to answer when the caller's custom attributes say the digest of another model.

    Callers that say none, such as batch transform, are answered.

    Raises:
        OtherModelError: with both digests.
    """
    for attribute in _SEPARATORS.split(attributes):
        name, _, expected = attribute.strip().partition("=")
        if name == EXPECTED_DIGEST and expected != model.scorer.digest:
            manifest = model.scorer.manifest
            raise OtherModelError(
                f"the model of partition {manifest.slug}, version {manifest.version}, has a {MODEL_MANIFEST} with the "
                f"SHA-256 {model.scorer.digest}, but the caller expects {expected[:64]}; its archive was changed after "
                "it was registered"
            )


class _Predictor:
    """Reads the current request and answers it. Many may wait for their bodies, but only a few are worked on at once.

    Attributes:
        bodies: reads what is sent.
    """

    def __init__(self, settings: ServingSettings) -> None:
        self.bodies = BodyReader(settings.max_payload_mib * MIB, settings.silence_seconds, settings.body_seconds)
        self._turns = threading.BoundedSemaphore(settings.threads)
        self._explain = settings.explain

    def predict(self, body: bytes, model: ServedModel) -> Response:
        """The answer of ``model``; 204 when the request has no row.

        The body is read before anything is refused, because gunicorn closes a connection with much left unread.
        """
        if attributes := request.headers.get(_CUSTOM_ATTRIBUTES):
            _refuse_another_model(attributes, model)
        content_type = request.mimetype
        if content_type not in ANSWERS:
            raise UnsupportedMediaTypeError(
                f"Content-Type {content_type[:80] or '(none)'} cannot be read; send {' or '.join(ANSWERS)}"
            )
        if (coding := request.headers.get("Content-Encoding", "identity").strip().lower()) != "identity":
            raise UnsupportedMediaTypeError(f"Content-Encoding {coding[:80]} cannot be read; send the body as it is")
        accept = _accepted(ANSWERS[content_type])
        with self._turns:
            answer = self._answer(content_type, accept, body, model)
        return Response(answer, content_type=accept) if answer else Response(status=204)

    def _answer(self, content_type: str, accept: str, body: bytes, model: ServedModel) -> bytes:
        """The answer; empty when there is no row."""
        if content_type == JSON_LINES:
            return answer_lines(body, model, explain=self._explain)
        batch = READERS[content_type](body, model.scorer.encoding)
        return WRITERS[accept](batch, model) if len(batch.values) else b""


def _accepted(offered: Sequence[str]) -> str:
    """The type of the answer: the first one offered when the caller does not ask for one."""
    # Parameters, such as charset, do not change the answer, but werkzeug would require them to match.
    wanted = MIMEAccept([(kind.partition(";")[0].strip(), quality) for kind, quality in request.accept_mimetypes])
    accept = wanted.best_match(offered) if wanted else offered[0]
    if accept is None:
        raise NotAcceptableError(
            f"Accept {request.headers['Accept'][:80]} cannot be answered; accept {' or '.join(offered)}"
        )
    return accept


def _load_request(body: bytes) -> tuple[str, str]:
    try:
        document = json.loads(body.decode())
        name, url = document["model_name"], document["url"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadRequestError('the body must be {"model_name": "...", "url": "<folder>"}') from error
    if not all(isinstance(text, str) and 0 < len(text) <= TEXT_LIMIT for text in (name, url)):
        raise BadRequestError(f"model_name and url must be texts of 1 to {TEXT_LIMIT} characters")
    return name, url


def _execution_parameters(settings: ServingSettings) -> Mapping[str, Any]:
    """What batch transform asks for when it starts, by its documented names."""
    return {
        "MaxConcurrentTransforms": settings.workers * settings.threads,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": settings.max_payload_mib,
    }


def _description(name: str, url: str) -> dict[str, str]:
    return {"modelName": name, "modelUrl": url}


def _json(document: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(document), status=status, content_type=JSON)


def _refusal(error: ServingError) -> Response:
    if isinstance(error, OtherModelError):
        current_app.logger.error("%s", error)
    answer = _json({"error": {"code": error.code, "message": str(error)}}, error.status)
    if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = "1"
    return answer


def _http_error(error: HTTPException) -> Response:
    """Flask's own refusals (404, 405) and unexpected errors (500, already logged), in the same form."""
    status = error.code or 500
    code = error.name.lower().replace(" ", "_")
    answer = _json({"error": {"code": code, "message": error.description or error.name}}, status)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return answer
