"""Self-contained pages: one template each, one style, nothing to fetch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from tenant_experience.readable_text import readable

if TYPE_CHECKING:
    from jinja2 import Environment

# Shown in a table where there is no number: an en dash.
NOTHING = "\N{EN DASH}"


def render(template: str, **content: Any) -> str:
    """Renders a page from a template; everything from the data is escaped.

    Args:
        template: the file's name.
        content: the names that the template uses; a missing name is an error.
    """
    return _environment().get_template(template).render(**content)


@cache
def _environment() -> Environment:
    """It keeps the templates it has compiled."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("tenant_experience.pages", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=readable_value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "words": words,
        "capital": capital,
        "share": share,
        "share_interval": share_interval,
        "figure": figure,
        "interval": interval,
        "duration": duration,
        "count": lambda number: f"{number:,}",
    }
    return environment


def readable_value(value: Any) -> Any:
    """A value as a page shows it: without the hidden characters that a name from the data may have."""
    # What is markup already is ours. Texts of several lines keep them: a person typed them into a form.
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return value if value.isascii() and value.isprintable() else "\n".join(map(readable, value.splitlines()))


def words(name: str) -> str:
    """A column's name as a person reads it."""
    return name.replace("_hr", " (hours)").replace("_", " ")


def capital(text: str) -> str:
    """The text as it begins a sentence or a heading."""
    return text[:1].upper() + text[1:]


def share(value: float | None) -> str:
    """A share as a percentage."""
    return NOTHING if value is None else f"{100 * value:.1f}%"


def figure(value: float | None, digits: int = 3) -> str:
    """A number a person can read: three decimals below ten, fewer above."""
    if value is None:
        return NOTHING
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.{digits}f}"


def interval(bounds: Sequence[float] | None, digits: int = 3) -> str:
    """A 95% interval, written as its ends."""
    return NOTHING if bounds is None else f"{figure(bounds[0], digits)} to {figure(bounds[1], digits)}"


def share_interval(bounds: Sequence[float] | None) -> str:
    """A 95% interval of a share."""
    return NOTHING if bounds is None else f"{share(bounds[0])} to {share(bounds[1])}"


def duration(hours: float) -> str:
    """Hours as a person says them: hours up to two days, then days."""
    amount, unit = (hours, "hour") if hours < 48 else (hours / 24, "day")
    text = f"{amount:.0f}" if amount >= 10 else f"{amount:.1f}".removesuffix(".0")
    return f"{text} {unit}{'' if text == '1' else 's'}"
