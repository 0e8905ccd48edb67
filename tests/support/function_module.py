"""The code of a Lambda function as a module; every function's is called ``app``."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from tests.support.places import ROOT


def function_module(name: str) -> ModuleType:
    """``functions/<name>/app.py``, loaded anew."""
    spec = importlib.util.spec_from_file_location(f"function_{name}", ROOT / "functions" / name / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
