"""The story of one release, printed as it happens: the upload, the states, the decision, the answers of the API."""

from __future__ import annotations

from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from operations import releases
from operations.api_client import ApiClient
from operations.batch import RawBatch
from operations.errors import OperationError
from operations.narrator import Narrator
from operations.releases import Decision, FinishedRelease, Mail
from operations.stack import Stack

_SAMPLE = 5


def release(stack: Stack, batch: RawBatch, decision: Decision, console: Console) -> FinishedRelease:
    """Upload the batch, follow its release to the end, and decide when the e-mail asks for it."""
    with console.status("uploading") as status:
        narrator = Narrator(batch, console, status)

        def decide(mail: Mail) -> None:
            console.print(Panel(escape(mail["text"]), title=escape(f"E-mail: {mail['subject']}"), border_style="cyan"))
            releases.decide(mail, decision)
            console.print(
                f"  [cyan]{decision.approver} opened the page and chose to {decision.choice}: {decision.reason}[/cyan]"
            )

        return releases.make_release(stack, batch, decide, narrator.listener())


def ask(stack: Stack, done: FinishedRelease, tenant: str | None, console: Console) -> dict[str, Any]:
    """Ask the API as a client would, and print requests and answers.

    Returns:
        the prediction of ``tenant``, or of the busiest among the first tenants of the release.

    Raises:
        OperationError: the API gives no prediction.
    """
    client = ApiClient(stack.api_url, stack.api_key, console)
    sample = releases.first_tenants(stack, done.release, _SAMPLE)
    rows = client.predictions([row["tenant_id"] for row in sample])
    table = Table("tenant", "portfolio", "status", "experience", "P(bad)", "version", title="POST /predictions")
    for row in rows:
        shown = "-" if row["probability"] is None else f"{row['probability']:.3f}"
        cells = (row["status"], row["experience"] or "-", shown, row["model_version"] or "-")
        table.add_row(row["tenant_id"], row["portfolio_id"], *cells)
    console.print(table)
    busiest = max(sample, key=lambda row: sum(row[name] or 0 for name in ("work_order_count", "outbound_call_count")))
    chosen = tenant or str(busiest["tenant_id"])
    client.get(f"/tenants/{chosen}/features")
    answer = client.get(f"/tenants/{chosen}/prediction")
    client.get("/tenants/NOBODY-0/prediction")
    ApiClient(stack.api_url, None, console).get(f"/tenants/{chosen}/prediction")
    prediction: dict[str, Any] = answer.json()
    if answer.status_code != httpx.codes.OK:
        raise OperationError(f"the API gave no prediction for {chosen}: {prediction}")
    return prediction
