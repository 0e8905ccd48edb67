"""A function that raises: the error's name is the exception's class, and the warm worker lives on.

MiniStack calls every such error ``Runtime.HandlerError`` and ends the worker. Here the worker reports the exception as
a marked result. The mark is removed after MiniStack has decided that the worker is healthy.
"""

from __future__ import annotations

import contextvars
import re
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local_aws.ministack_patches.lambda_ import worker_script

_INIT_FAILED = re.compile(r"Worker init failed: (?P<type>\w+): (?P<message>.*)", re.DOTALL)

_raised: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("local_aws_lambda_raised")
_invoke = lambda_runtime.Worker.invoke
_execute_warm = lambda_svc._execute_function_warm


def install() -> None:
    """Change the worker's script, and the functions that read its answers."""
    lambda_runtime._PYTHON_WORKER_SCRIPT = worker_script.changed(lambda_runtime._PYTHON_WORKER_SCRIPT)
    lambda_runtime.Worker.invoke = _invoke_remembering
    lambda_svc._execute_function_warm = _execute_named


def _invoke_remembering(self: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
    response: dict[str, Any] = _invoke(self, *arguments, **named)
    raised = response.pop("raised", None)
    if raised is not None:
        _raised.set(raised)
        trace = "".join(raised["stackTrace"])
        response.update(status="error", error=raised["errorMessage"], trace=f"{trace}{raised['errorType']}")
    return response


def _execute_named(*arguments: Any, **named: Any) -> dict[str, Any]:
    _raised.set(None)
    result: dict[str, Any] = _execute_warm(*arguments, **named)
    body = result.get("body")
    if not result.get("error") or not isinstance(body, dict):
        return result
    raised = _raised.get()
    failed_init = _INIT_FAILED.match(body.get("errorMessage", ""))
    if raised is not None:
        result["body"] = raised
    elif failed_init is not None:
        is_import = failed_init["type"] in ("ModuleNotFoundError", "ImportError")
        body["errorType"] = "Runtime.ImportModuleError" if is_import else failed_init["type"]
        body["errorMessage"] = failed_init["message"]
    return result
