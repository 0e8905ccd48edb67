"""The script MiniStack's Python workers run: which of its lines are replaced, and by what.

A raised exception is reported as a result of its own kind (``raised``), so that MiniStack does not end the worker.
"""

from __future__ import annotations

_REPORT_LINE = (
    r'_real_stdout.write(json.dumps({"status": "error", "error": str(e), "trace": traceback.format_exc()}) + "\n")'
)
_NEW_REPORT_LINE = (
    r'_real_stdout.write(json.dumps({"status": "ok", "raised": {"errorMessage": str(e), "errorType": type(e).__name__,'
    r' "requestId": context.aws_request_id, "stackTrace": traceback.format_tb(e.__traceback__)[1:]}}) + "\n")'
)
_INIT_LINE = r'_real_stdout.write(json.dumps({"status": "error", "error": str(e)}) + "\n")'
_NEW_INIT_LINE = (
    r'_real_stdout.write(json.dumps({"status": "error", "error": type(e).__name__ + ": " + str(e)}) + "\n")'
)
_REPLACED = {_REPORT_LINE: _NEW_REPORT_LINE, _INIT_LINE: _NEW_INIT_LINE}


def changed(script: str) -> str:
    """The script with its lines replaced."""
    for line, replacement in _REPLACED.items():
        script = script.replace(line, replacement)
    return script


def missing_lines(script: str) -> list[str]:
    """Lines to replace that the script does not hold exactly once."""
    return [line for line in _REPLACED if script.count(line) != 1]
