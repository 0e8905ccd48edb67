"""Prints how a release goes, while it goes."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from operations.batch import RawBatch
from operations.releases import Listener
from operations.watch import Step


class Narrator:
    """Prints the upload and each state of a release that has ended; the status line shows what runs.

    Args:
        batch: what is uploaded; None when a release is followed that runs already.
        console: where to print.
        status: the status line.
        waiting_for: added to the status line while a person is asked for the decision.
    """

    def __init__(self, batch: RawBatch | None, console: Console, status: Status, waiting_for: str = "") -> None:
        self._batch = batch
        self._console = console
        self._status = status
        self._waiting_for = waiting_for
        self._has_asked = False

    def listener(self) -> Listener:
        """What the release is told to."""
        return Listener(self._uploading, self._started, self._stepped, self._polled)

    def _uploading(self, count: int, name: str) -> None:
        total = len(self._batch.files) if self._batch else 0
        self._status.update(f"uploading {count + 1} of {total}: {escape(name)}")

    def _started(self, name: str) -> None:
        if self._batch is not None:
            count = len(self._batch.files)
            files = "1 file" if count == 1 else f"{count} files"
            self._console.print(
                f"Uploaded {files} and manifest.json as batch [bold]{escape(self._batch.name)}[/bold]", soft_wrap=True
            )
            if self._batch.skipped:
                skipped = ", ".join(self._batch.skipped)
                self._console.print(f"Not uploaded, because their names begin with . or _: {escape(skipped)}")
        self._console.print(f"Its arrival started release [bold]{name}[/bold]\n")

    def _stepped(self, step: Step) -> None:
        if step.seconds is not None:
            label = f"{step.state} [dim]{escape(step.label)}[/dim]" if step.label else f"[bold]{step.state}[/bold]"
            indent = "  " if step.label else ""
            self._console.print(f"  [green]done[/green] {step.seconds:7.1f} s  {indent}{label}")

    def _polled(self, running: list[str], seconds: float) -> None:
        self._status.update(f"{', '.join(running) or 'between states'}  {seconds:.0f} s")
        if self._waiting_for and not self._has_asked and "RequestApproval" in running:
            self._has_asked = True
            self._console.print(f"  [cyan]{escape(self._waiting_for)}[/cyan]", soft_wrap=True)
