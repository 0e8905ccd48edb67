"""What an erasure looked through, found and removed: the table it prints and the proof it leaves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from rich.table import Table


@dataclass
class Place:
    """One place that was looked through.

    Attributes:
        name: of the place, for people.
        unit: what is counted in it.
        units: how many.
        more: further counts, by their names.
        found: how many rows, entries, files or events were the tenant's.
        removed: how many of them are gone.
        changes: what was done to what; says no id.
        unreadable: what could not be looked into.
    """

    name: str
    unit: str
    units: int = 0
    more: dict[str, int] = field(default_factory=dict)
    found: int = 0
    removed: int = 0
    changes: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def count(self, name: str, number: int) -> None:
        """Add to one of the further counts."""
        self.more[name] = self.more.get(name, 0) + number


@dataclass
class Findings:
    """All places, looked through once.

    Attributes:
        places: each once.
    """

    places: list[Place] = field(default_factory=list)

    @property
    def found(self) -> int:
        """What was the tenant's."""
        return sum(place.found for place in self.places)

    @property
    def unreadable(self) -> list[str]:
        """What could not be looked into."""
        return [name for place in self.places for name in place.unreadable]

    def table(self, title: str, *, shows_removed: bool) -> Table:
        """As printed."""
        table = Table("looked through", "how much", "found", title=title)
        if shows_removed:
            table.add_column("removed")
        for place in self.places:
            counts = {place.unit: place.units, **place.more}
            row = [place.name, ", ".join(f"{number:,} {name}" for name, number in counts.items()), f"{place.found:,}"]
            table.add_row(*row, *([f"{place.removed:,}"] if shows_removed else []))
        return table

    def document(self) -> list[dict[str, object]]:
        """As written into the proof."""
        return [asdict(place) for place in self.places]
