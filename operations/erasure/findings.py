"""What an erasure searched, found and removed, for the table it prints and the proof it writes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from rich.table import Table


@dataclass
class Place:
    """One place that was searched.

    Attributes:
        name: the place, for people.
        unit: what is counted there, such as ``objects``.
        units: how many of them were searched.
        more: further counts by name.
        found: how many rows, entries, files or events belonged to the tenant.
        removed: how many of those were removed.
        changes: what was done to what, without the tenant's id.
        unreadable: what could not be read.
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
    """The result of searching every place once."""

    places: list[Place] = field(default_factory=list)

    @property
    def found(self) -> int:
        """How many rows, entries, files and events belonged to the tenant."""
        return sum(place.found for place in self.places)

    @property
    def unreadable(self) -> list[str]:
        """What could not be read."""
        return [name for place in self.places for name in place.unreadable]

    def table(self, title: str, *, shows_removed: bool) -> Table:
        """The table to print."""
        table = Table("searched", "how much", "found", title=title)
        if shows_removed:
            table.add_column("removed")
        for place in self.places:
            counts = {place.unit: place.units, **place.more}
            row = [place.name, ", ".join(f"{number:,} {name}" for name, number in counts.items()), f"{place.found:,}"]
            table.add_row(*row, *([f"{place.removed:,}"] if shows_removed else []))
        return table

    def document(self) -> list[dict[str, object]]:
        """The places as the proof lists them."""
        return [asdict(place) for place in self.places]
