"""The story of one release, printed as it happens: the upload, the states, the decision, the answers of the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from operations import releases
from operations.api_client import ApiClient, Routes
from operations.batch import RawBatch
from operations.errors import OperationError
from operations.narrator import Narrator
from operations.releases import Decision, FinishedRelease, Mail
from operations.stack import Stack
from tenant_experience.use_case.schema import load_use_case

_ASKED, _SHOWN = 100, 5


def release(stack: Stack, batch: RawBatch, decision: Decision, console: Console) -> FinishedRelease:
    """Upload the batch, follow its release to the end, and decide when the e-mail asks for it."""
    with console.status("uploading") as status:
        narrator = Narrator(batch, console, status)

        def decide(mail: Mail) -> None:
            console.print(Panel(escape(mail["text"]), title=escape(f"E-mail: {mail['subject']}"), border_style="cyan"))
            releases.decide(stack, mail, decision)
            console.print(
                f"  [cyan]{decision.approver} opened the page and chose to {decision.choice}: {decision.reason}[/cyan]"
            )

        return releases.make_release(stack, batch, decide, narrator.listener())


def ask(stack: Stack, done: FinishedRelease, use_case: Path, record: str | None, console: Console) -> dict[str, Any]:
    """Ask the API as a client would, and print requests and answers.

    Args:
        stack: the laptop's.
        done: the release that is live now.
        use_case: the folder of its use case.
        record: whose prediction to show in full; by default the likeliest of the few that are listed.
        console: where to print.

    Returns:
        the prediction of that record.

    Raises:
        OperationError: the API gives no prediction.
    """
    client, routes = ApiClient(stack.api_url, stack.api_key, console), Routes.of(use_case.name)
    ids = releases.some_records(stack, done.release, load_use_case(use_case).record_id, _ASKED)
    rows = answered(client.predictions(routes, ids))
    console.print(_table(rows, routes))
    chosen = record or str(max(rows, key=_strength)[routes.family.record_id])
    client.get(routes.path(chosen, "features"))
    answer = client.get(routes.path(chosen, "prediction"))
    client.get(routes.path("NOBODY-0", "prediction"))
    ApiClient(stack.api_url, None, console).get(routes.path(chosen, "prediction"))
    prediction: dict[str, Any] = answer.json()
    if answer.status_code != httpx.codes.OK:
        raise OperationError(f"the API gave no prediction for {chosen}: {prediction}")
    return prediction


def answered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first few rows with a prediction: a partition may be too small for a model. Without any, the first few."""
    return ([row for row in rows if row["status"] == "scored"] or rows)[:_SHOWN]


def _table(rows: list[dict[str, Any]], routes: Routes) -> Table:
    family = routes.family
    names = (family.record_id, family.partition, "status", family.label, "value", "probability", "model_version")
    columns = [name for name in names if any(row.get(name) is not None for row in rows)]
    table = Table(*columns, title=f"POST {routes.predictions}")
    for row in rows:
        table.add_row(*(escape(_short(row.get(name))) for name in columns))
    return table


def _short(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _strength(row: dict[str, Any]) -> float:
    """What the answers are ordered by: the probability, or the number that is predicted."""
    return float(row.get("value") or row.get("probability") or 0.0)
