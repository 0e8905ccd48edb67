"""A client that asks for one prediction all the time, to see whether the API ever stops answering."""

from __future__ import annotations

import threading
from typing import Self

import httpx

from tests.support.flow import Flow

_PAUSE_S = 0.05


class ApiCaller(threading.Thread):
    """Asks for one prediction again and again while its block runs.

    Attributes:
        versions: the model version of each answer.
        failures: status and text of each answer that was not 200, and each request that got no answer.
    """

    def __init__(self, flow: Flow, tenant: str) -> None:
        super().__init__(daemon=True)
        self._flow, self._tenant = flow, tenant
        self._ended = threading.Event()
        self.versions: list[str] = []
        self.failures: list[tuple[int, str]] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        while not self._ended.wait(_PAUSE_S):
            try:
                answer = self._flow.get(f"/tenants/{self._tenant}/prediction")
            except httpx.TransportError as error:
                self.failures.append((0, str(error)))
                continue
            if answer.status_code == 200:
                self.versions.append(answer.json()["model_version"])
            else:
                self.failures.append((answer.status_code, answer.text))
