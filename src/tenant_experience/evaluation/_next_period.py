"""What is said of the published probability: how it came true in past periods, or that there is one period only."""

from __future__ import annotations

from collections.abc import Iterator

from tenant_experience.groups.next_period import Backtest, ToldLess
from tenant_experience.pages.html_page import figure, interval, share, share_interval
from tenant_experience.use_case.words import Words

ONE_SNAPSHOT = (
    "The event log, or the table, holds one period only, so it could not be tested whether the published probability "
    "comes true in the next one. It is what redraws of this period say, shrunk towards what {} are like as a "
    "whole (probability_basis: one_snapshot)."
)


def next_period_sentences(backtest: Backtest | None, positive: str, words: Words) -> list[str]:
    """For people who decide; ``positive``: the name of the last group."""
    return [ONE_SNAPSHOT.format(words.records)] if backtest is None else list(_tested(backtest, positive, words))


def _tested(backtest: Backtest, positive: str, words: Words) -> Iterator[str]:
    found, before = backtest.published, backtest.as_redrawn
    last = backtest.pairs[-1]
    if backtest.tested_on == "later_pair":
        how = f"what was fitted on earlier periods was tested on the period that ended on {last.later[:10]}"
    else:
        how = (
            f"on the periods that ended on {last.earlier[:10]} and {last.later[:10]}, each fifth of the "
            f"{words.records} was tested with what was fitted on the others"
        )
    yield _told_less(found.told_less, positive, words)
    yield (
        f"The published probability was tested on {backtest.tenants:,} {words.records}: {how}. Its calibration error "
        f"is {figure(found.calibration_error)} ({interval((found.low, found.high))}), and would be "
        f"{figure(before.calibration_error)} without recalibration."
    )
    if last.incomplete:
        yield (
            f"{last.incomplete:,} more {words.records} are not part of this test, because one of their markers was not "
            "known in the earlier period."
        )


def _told_less(told: ToldLess, positive: str, words: Words) -> str:
    limit = f"{100 * told.limit:g}%"
    if told.share is None or told.low is None or told.high is None:
        return f"No {words.record} was told less than {limit}."
    return (
        f"Of the {told.tenants:,} {words.records} told less than {limit}, {share(told.share)} "
        f"({share_interval((told.low, told.high))}) were {positive} in the next period."
    )
