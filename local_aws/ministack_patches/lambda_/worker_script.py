"""Which lines of the script that MiniStack's Python workers run are replaced, and by what.

MiniStack has no setting for these. The runtime's packages come last on the path, after the function's and its layers'.
An exception is reported as a marked result (``raised``), so that MiniStack does not end the worker.
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
RUNTIME_VARIABLE = "_LOCAL_AWS_RUNTIME"  # the folder of the runtime's own packages; no function sees it
_FIRST_LINES = f'import os, sys\nsys.path.append(os.environ.pop("{RUNTIME_VARIABLE}"))\n_local_calls = {{}}\n'
# How deep a function is in calls of itself is kept in the worker, where the function does not see it.
_DEPTH = '"_MINISTACK_INVOKE_DEPTH"'
REPLACED = {
    _REPORT_LINE: _NEW_REPORT_LINE,
    _INIT_LINE: _NEW_INIT_LINE,
    f"depth = os.environ.get({_DEPTH})": 'depth = _local_calls.get("depth")',
    f"os.environ[{_DEPTH}] = str(_ms_depth)": '_local_calls["depth"] = str(_ms_depth)',
    f"elif {_DEPTH} in os.environ:": 'elif "depth" in _local_calls:',
    f"del os.environ[{_DEPTH}]": 'del _local_calls["depth"]',
}


def changed(script: str) -> str:
    """The script with its lines replaced, after lines that put the runtime's packages on the path."""
    for line, replacement in REPLACED.items():
        script = script.replace(line, replacement)
    return _FIRST_LINES + script


def missing_lines(script: str) -> list[str]:
    """The lines to replace that the script does not contain exactly once."""
    return [line for line in REPLACED if script.count(line) != 1]
