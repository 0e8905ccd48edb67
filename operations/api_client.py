"""A client of the HTTPS API, which prints its requests and the answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from rich.console import Console
from rich.markup import escape

from operations.batch import USE_CASE
from operations.errors import OperationError
from tenant_experience.api.route_family import RECORD_ROUTES, TENANT_ROUTES, RouteFamily


@dataclass(frozen=True)
class Routes:
    """Where the API answers about the records of one use case, and what it calls things there.

    Attributes:
        family: what the answers call things.
        prefix: of the route for many records.
        records: the prefix of the routes for one record.
    """

    family: RouteFamily
    prefix: str
    records: str

    @classmethod
    def of(cls, use_case: str) -> Routes:
        """The tenants' routes for the stack's own use case, and the routes of records for another."""
        if use_case == USE_CASE:
            return cls(TENANT_ROUTES, "", "/tenants")
        prefix = f"/use-cases/{use_case}"
        return cls(RECORD_ROUTES, prefix, f"{prefix}/records")

    @property
    def predictions(self) -> str:
        """The route for many records."""
        return f"{self.prefix}/predictions"

    def path(self, record_id: str, last: str) -> str:
        """The path of one record's ``features`` or ``prediction``."""
        return f"{self.records}/{quote(record_id, safe='')}/{last}"


class ApiClient:
    """Sends requests with an API key.

    Args:
        api_url: address of the API, without a slash at the end.
        api_key: sent with every request; None sends none.
        console: where to print.
    """

    def __init__(self, api_url: str, api_key: str | None, console: Console) -> None:
        self._http = httpx.Client(base_url=api_url, headers={"x-api-key": api_key} if api_key else {}, timeout=120)
        self._api_key = api_key
        self._console = console

    def get(self, path: str) -> httpx.Response:
        """Send a GET request; print it and its answer."""
        answer = self._http.get(path)
        self._show(f"GET {path}", answer)
        return answer

    def predictions(self, routes: Routes, ids: list[str]) -> list[dict[str, Any]]:
        """The rows of ``POST .../predictions`` for at most 100 records.

        Raises:
            OperationError: the API answers for none of them.
        """
        answer = self._http.post(routes.predictions, json={routes.family.ids: ids})
        if answer.status_code != httpx.codes.OK:
            raise OperationError(f"POST {routes.predictions} was answered with {answer.status_code}: {answer.text}")
        rows: list[dict[str, Any]] = answer.json()["predictions"]
        return rows

    def _show(self, request: str, answer: httpx.Response) -> None:
        key = "with the API key" if self._api_key else "without a key"
        self._console.print(f"\n[bold]{escape(request)}[/bold]  [dim]{key}[/dim]  -> {answer.status_code}")
        self._console.print_json(json.dumps(_short(answer.json())))


def _short(document: Any) -> Any:
    """The document with numbers rounded to six digits."""
    if isinstance(document, float):
        return float(f"{document:.6g}")
    if isinstance(document, dict):
        return {name: _short(value) for name, value in document.items()}
    if isinstance(document, list):
        return [_short(value) for value in document]
    return document
