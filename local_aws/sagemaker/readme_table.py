"""The table of the emulated operations, made from the code that answers them."""

from __future__ import annotations

import ast
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local_aws.sagemaker import SageMaker
from local_aws.sagemaker.core.validation import operation_model, service_operations

BEGIN, END = "<!-- operations: begin -->", "<!-- operations: end -->"
_NAMES = frozenset({"not_emulated", "refuse_others"})
_RUNTIME = {
    "PutRecord": "sagemaker-featurestore-runtime",
    "GetRecord": "sagemaker-featurestore-runtime",
    "DeleteRecord": "sagemaker-featurestore-runtime",
    "BatchGetRecord": "sagemaker-featurestore-runtime",
    "BatchWriteRecord": "sagemaker-featurestore-runtime",
    "InvokeEndpoint": "sagemaker-runtime",
}


def render() -> str:
    """The table in Markdown, between its two markers."""
    refusals = _refusals()
    lines = [BEGIN, "", "| operation | members not emulated, refused by name |", "|---|---|"]
    emulated = _emulated()
    for name in emulated:
        members = refusals.get(name, _Refusal()).of(name)
        lines.append(f"| {name} | {', '.join(members)} |")
    lines += [f"| {name} ({service}) | |" for name, service in _RUNTIME.items()]
    others = len(service_operations()) - len(emulated)
    lines += ["", f"{len(emulated)} operations of the control plane; its other {others} are refused by name.", "", END]
    return "\n".join(lines)


def write(file: Path) -> bool:
    """Put the table between the file's markers; returns whether that changed anything.

    Raises:
        ValueError: the file has no markers.
    """
    text = file.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{file} has no lines {BEGIN} and {END}")
    made = f"{before}{render()}{after}"
    if made == text:
        return False
    file.write_text(made)
    return True


def _emulated() -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        sagemaker = SageMaker(
            state_dir=Path(folder),
            endpoint_url="http://127.0.0.1:1",
            region="us-east-1",
            account="000000000000",
            images=[],
            credentials=lambda _role, _session: {},
        )
        found = sorted(sagemaker.operations)
        sagemaker.stop()
    return found


class _Refusal:
    """What one operation refuses: members that it does not know, and values."""

    def __init__(self) -> None:
        self.known: set[str] | None = None
        self.values: list[str] = []

    def of(self, operation: str) -> list[str]:
        shape = operation_model(operation).input_shape
        members = [] if self.known is None or shape is None else sorted(set(shape.members) - self.known)
        return members + sorted(set(self.values))


def _refusals() -> dict[str, _Refusal]:
    """From the calls of ``refuse_others`` and ``not_emulated`` in this package's modules."""
    found: dict[str, _Refusal] = {}
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        for operation, refusal in _of_module(ast.parse(file.read_text())):
            kept = found.setdefault(operation, _Refusal())
            kept.known = refusal.known if refusal.known is not None else kept.known
            kept.values += refusal.values
    return found


def _of_module(tree: ast.Module) -> Iterator[tuple[str, _Refusal]]:
    constants = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    texts: dict[str, object] = {name: node.value for name, node in constants.items() if isinstance(node, ast.Constant)}
    main = [node for node in ast.walk(tree) if isinstance(node, ast.Assign) and _is_operation(node)]
    default = _text(main[0].value, texts) if main else ""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in _NAMES:
            continue
        operation = _text(node.args[0], texts) or default
        refusal = _Refusal()
        if node.func.id == "refuse_others" and len(node.args) == 3:
            known = node.args[2]
            known = constants.get(known.id, known) if isinstance(known, ast.Name) else known
            refusal.known = {_text(each, texts) for each in ast.walk(known)} - {""}
        elif node.func.id == "not_emulated" and len(node.args) == 2:
            sentence = _sentence(node.args[1])
            refusal.values += [sentence] if re.search(r"\w", sentence) else []
        yield operation, refusal


def _is_operation(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "operation" for target in node.targets)


def _text(node: ast.AST, texts: dict[str, object]) -> str:
    """A string literal, or an f-string of constants; empty for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        parts = [_text(part.value if isinstance(part, ast.FormattedValue) else part, texts) for part in node.values]
        return "".join(parts) if all(parts) else ""
    return str(texts.get(node.id, "")) if isinstance(node, ast.Name) else ""


def _sentence(node: ast.AST) -> str:
    """An f-string with dots in place of values that are only known at run time."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_sentence(part) for part in node.values).strip()
    if isinstance(node, ast.FormattedValue):
        return "..."
    return re.sub(r"\s+", " ", str(node.value)) if isinstance(node, ast.Constant) else "..."
