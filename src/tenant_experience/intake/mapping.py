"""What the rows of a batch must become: our columns, their types, and the rules that they must keep."""

# ruff: noqa: S608 - names in SQL come from validated settings
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tenant_experience.intake.duckdb_session import identifier, literal
from tenant_experience.tenant_id import FLAG_PATTERN, NAME_PATTERN, NO_ID_PATTERN, PATTERN
from tenant_experience.use_case.source import Source
from tenant_experience.use_case.source_expression import WHERE, is_plain_column

# Instead of the index of a rule: the source's filter leaves the row out. It is neither kept nor quarantined.
FILTERED = -1
# The reason for quarantine of a row with a value that holds lines like rows: its quote was closed by a later one.
SWALLOWED_ROWS = "swallowed_rows"


Meaning = Literal["id", "text", "time", "flag", "number"]


@dataclass(frozen=True)
class Rule:
    """Why a row is quarantined.

    Attributes:
        reason: a stable name in ``snake_case``.
        column: our column; empty when the rule is about the whole row.
        broken: SQL over ``raw_<column>`` (as found) and ``<column>`` (typed); null counts as not broken.
    """

    reason: str
    column: str
    broken: str


# Checked before the filter: a line that is no record, that says twice what is read, that has swallowed others, or for
# which the filter gives an error, is quarantined.
_BEFORE_FILTER = (
    Rule("not_a_json_object", "", "malformed"),
    Rule("duplicate_key", "", "repeats_key"),
    Rule(SWALLOWED_ROWS, "", "swallows_rows"),
    Rule("unreadable_value", WHERE, f"failed_{WHERE}"),
)


def malformed(column: str, pattern: str) -> str:
    """SQL: whether ``column`` is a text that does not match ``pattern`` from end to end."""
    return f"NOT regexp_full_match({column}, {literal(pattern)})"


def malformed_id(column: str) -> str:
    """SQL: whether ``column``, in its normal form, can be no id: what ``tenant_id.is_tenant_id`` says in Python."""
    no_id = f"{NO_ID_PATTERN}|{FLAG_PATTERN}"
    return f"({malformed(column, PATTERN)} OR NOT {malformed(column, no_id)})"


def malformed_name(column: str) -> str:
    """SQL: whether ``column`` can be no name of a portfolio or a category."""
    return f"({malformed(column, NAME_PATTERN)} OR NOT {malformed(column, NO_ID_PATTERN)})"


def _named(expressions: Mapping[str, str]) -> str:
    return ", ".join(f"{expression} AS {identifier(name)}" for name, expression in expressions.items())


def _with(expressions: Mapping[str, str], rows: str) -> str:
    """The SELECT ``rows`` with more columns: DuckDB computes a column once, but an expression wherever it occurs."""
    return f"SELECT *, {_named(expressions)} FROM ({rows})" if expressions else rows


@dataclass(frozen=True)
class RowMapping:
    """How a row of a file becomes one of our rows; the same for every file of a batch.

    Attributes:
        source: says how our columns are read from those of a file.
        typed: our column -> SQL over ``raw_<column>``; gives null, not an error, for a value that it cannot read.
        meanings: our column -> what its values mean, whatever the format of a file.
        shared: a name -> SQL over ``raw_<column>`` that several typed columns or rules need; computed once.
        settled: our column -> SQL over the typed columns, for values that depend on another; replaces a typed column.
        may_be_absent: our columns whose keys may be missing from every line of a JSON file: nothing has happened yet.
        advice: our column -> what to do when a file lacks the column that it is read from.
        checks: the rules of these rows, checked in order; the first broken one is the reason for the quarantine.
    """

    source: Source
    typed: Mapping[str, str]
    checks: tuple[Rule, ...]
    meanings: Mapping[str, Meaning]
    shared: Mapping[str, str] = field(default_factory=dict)
    settled: Mapping[str, str] = field(default_factory=dict)
    may_be_absent: frozenset[str] = frozenset()
    advice: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """Our columns as they are staged."""
        return tuple(dict.fromkeys([*self.typed, *self.settled]))

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules in the order in which they are checked: ``broken_rule`` of a staged row is an index into them."""
        failed = [
            Rule("unreadable_value", ours, f"failed_{ours}")
            for ours, expression in self.source.columns.items()
            if not is_plain_column(expression)
        ]
        return (*_BEFORE_FILTER, *failed, *self.checks)

    def checked(self, scanned: str) -> str:
        """SQL that adds the typed columns and ``broken_rule`` (an index, FILTERED, or null) to the rows of a scan.

        Args:
            scanned: the SELECT of a :class:`~tenant_experience.intake.scan.Scan`.
        """
        cases = [f"WHEN {rule.broken} THEN {place}" for place, rule in enumerate(self.rules)]
        cases.insert(len(_BEFORE_FILTER), f"WHEN raw_{WHERE} IS NOT TRUE THEN {FILTERED}")
        broken_rule = f"CAST(CASE {' '.join(cases)} END AS SMALLINT) AS broken_rule"
        return f"SELECT *, {broken_rule} FROM ({self.read(scanned)})"

    def read(self, scanned: str) -> str:
        """SQL that adds the columns that are staged to the rows of a scan."""
        typed = _with(self.typed, _with(self.shared, scanned))
        replaced = [ours for ours in self.settled if ours in self.typed]
        if self.settled:
            kept = f"* EXCLUDE ({', '.join(map(identifier, replaced))})" if replaced else "*"
            typed = f"SELECT {kept}, {_named(self.settled)} FROM ({typed})"
        return typed
