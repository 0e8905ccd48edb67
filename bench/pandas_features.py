"""The features of a batch by pandas alone, as a good pandas user writes them: the yardstick of ``bench.features``.

Same rules as ``features.sql``. Files are read one by one by the faster of pandas' engines, and repeated words become
categories at once; rows that cannot be read are dropped, and nobody hears which.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pandas as pd

from bench.event_batches import COLUMNS, TIMES

WINDOW_DAYS, MINIMUM_DAYS, PROVISIONAL_BELOW = 365, 90, 180
_WORDS = {
    "channel": ("call", "message", "email", "ticket", "maintenance_request", "work_order"),
    "direction": ("inbound", "outbound"),
    "sentiment": ("positive", "neutral", "negative"),
}


def build(folder: Path) -> pd.DataFrame:
    """Features by tenant id, of the batch in ``folder``."""
    as_of = pd.Timestamp(json.loads((folder / "manifest.json").read_text())["as_of"]).tz_localize(None)
    frames = [_valid(_read(path)) for path in sorted(folder.glob("events-*"))]
    for column in ("tenant_id", "portfolio_id"):
        union = pd.api.types.union_categoricals([frame[column] for frame in frames])
        for frame in frames:
            frame[column] = frame[column].cat.set_categories(union.categories)
    events = pd.concat(frames, ignore_index=True)
    del frames
    return _features(_known(events, as_of), as_of)


def _read(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path, columns=list(COLUMNS))
    else:
        frame = pd.read_csv(path, usecols=list(COLUMNS), engine="pyarrow")
    for column in TIMES:
        values = frame[column]
        if pd.api.types.is_string_dtype(values):  # one of them is no time
            values = pd.to_datetime(values, format="ISO8601", errors="coerce", utc=True)
        frame[column] = values.astype("datetime64[us, UTC]").dt.tz_localize(None)
    for column in ("answered", "escalated"):
        frame[column] = frame[column].astype("boolean")
    for column in ("tenant_id", "portfolio_id"):
        frame[column] = frame[column].astype("category")
    for column, words in _WORDS.items():
        frame[column] = frame[column].astype("category").cat.set_categories(words)
    return frame


def _valid(frame: pd.DataFrame) -> pd.DataFrame:
    conversation = frame["channel"].isin(["call", "message", "email"])
    good = frame["opened_at"].notna() & frame["tenant_id"].notna() & frame["event_id"].notna()
    good &= frame["channel"].notna() & (frame["direction"].notna() | ~conversation)
    good &= ~(frame["first_response_at"] < frame["opened_at"]) & ~(frame["resolved_at"] < frame["opened_at"])
    return frame[good]


def _known(events: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """One row per event: of several copies the last one known before as_of, with what any of them knew by then."""
    for column in ("first_response_at", "resolved_at"):
        events[f"{column}_known"] = events[column].where(events[column] < as_of)
    repeated = events["event_id"].duplicated(keep=False)
    copies = events[repeated].copy()
    known_at = copies[["opened_at", "first_response_at", "resolved_at"]].max(axis=1)
    copies["late"] = known_at >= as_of
    copies["rank"] = (known_at - as_of).abs()  # the last before as_of, else the first after it
    by_id = copies.groupby("event_id", sort=False)
    first, last = by_id["first_response_at_known"].transform("min"), by_id["resolved_at_known"].transform("max")
    copies["first_response_at_known"] = first.where(first >= copies["opened_at"], copies["first_response_at_known"])
    copies["resolved_at_known"] = last.where(last >= copies["opened_at"])
    kept = copies.sort_values(["late", "rank"], kind="stable").drop_duplicates("event_id")
    known = pd.concat([events[~repeated], kept[events.columns]], ignore_index=True)
    return known[known["opened_at"] < as_of]


def _features(events: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    window = as_of - pd.Timedelta(days=WINDOW_DAYS)
    tenant, opened = events["tenant_id"], events["opened_at"]
    inside = opened >= window
    by_tenant = events.groupby("tenant_id", observed=True, sort=False)
    # where exposure begins with the first event, that event does not count
    first = by_tenant["opened_at"].transform("min").where(by_tenant["tenancy_start_at"].transform("min").isna())
    counts = inside & (opened != first)
    of = {name: inside & (events["channel"] == name) for name in ("ticket", "maintenance_request", "work_order")}
    call = inside & (events["channel"] == "call")
    inbound, answered = call & (events["direction"] == "inbound"), events["answered"]
    timed = of["ticket"] | of["maintenance_request"]
    response = (events["first_response_at_known"] - opened).where(timed)
    resolution = (events["resolved_at_known"] - opened).where(timed)
    waiting = timed & events["resolved_at_known"].isna()
    rows = pd.DataFrame(
        {
            "work_orders": of["work_order"] & counts,
            "escalations": counts & events["escalated"].fillna(value=False),
            "requests": of["maintenance_request"] & counts,
            "tickets": of["ticket"] & counts,
            "all_tickets": of["ticket"],
            "positive": of["ticket"] & (events["sentiment"] == "positive"),
            "negative": of["ticket"] & (events["sentiment"] == "negative"),
            "outbound": counts & call & (events["direction"] == "outbound"),
            "known_calls": inbound & answered.notna(),
            "answered": inbound & answered.fillna(value=False),
            "responses": response.notna(),
            "response_us": response.fillna(pd.Timedelta(0)).astype("int64"),
            "resolutions": resolution.notna(),
            "resolution_us": resolution.fillna(pd.Timedelta(0)).astype("int64"),
            "waiting": waiting,
        }
    )
    total = rows.groupby(tenant, observed=True, sort=False).sum()
    del rows
    ends = by_tenant.agg(
        first=("opened_at", "min"), start=("tenancy_start_at", "min"), end=("tenancy_end_at", "max")
    ).reindex(total.index)
    oldest = opened.where(waiting).groupby(tenant, observed=True, sort=False).min().reindex(total.index)
    began, ended = ends["start"].fillna(ends["first"]), ends["end"].fillna(as_of)
    lived = ended.where(ended < as_of, as_of) - began.where(began > window, window)
    exposure = (lived.dt.total_seconds() / 86_400).clip(lower=0)
    yearly = (365.0 / exposure).where((exposure > 0) & (exposure >= MINIMUM_DAYS))
    features = pd.DataFrame(
        {
            "portfolio_id": _last_portfolio(events).reindex(total.index),
            "work_order_count": total["work_orders"] * yearly,
            "escalation_count": total["escalations"] * yearly,
            "total_maintenance_tickets": total["requests"] * yearly,
            "mean_first_response_hr": total["response_us"] / total["responses"] / 3.6e9,
            "mean_full_resolution_hr": total["resolution_us"] / total["resolutions"] / 3.6e9,
            "total_tickets": total["tickets"] * yearly,
            "answer_rate": total["answered"] / total["known_calls"],
            "outbound_call_count": total["outbound"] * yearly,
            "positive_rate": total["positive"] / total["all_tickets"],
            "negative_rate": total["negative"] / total["all_tickets"],
            "exposure_days": exposure,
            "open_count": total["waiting"].astype("float64"),
            "oldest_open_hr": (as_of - oldest).dt.total_seconds() / 3_600,
        }
    )
    features["history"] = pd.cut(
        exposure,
        [-1.0, MINIMUM_DAYS, PROVISIONAL_BELOW, float("inf")],
        right=False,
        labels=["insufficient", "provisional", "sufficient"],
    )
    return features


def _last_portfolio(events: pd.DataFrame) -> pd.Series:
    """Of each tenant's last event; of several at that moment, the one with the highest id."""
    last = events.groupby("tenant_id", observed=True, sort=False)["opened_at"].transform("max")
    candidates = events.loc[events["opened_at"] == last, ["tenant_id", "event_id", "portfolio_id"]]
    return (
        candidates.sort_values("event_id")
        .drop_duplicates("tenant_id", keep="last")
        .set_index("tenant_id")["portfolio_id"]
    )


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.pandas_features", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("batch", type=Path)
    parser.add_argument("features", type=Path, help="the Parquet file to write")
    options = parser.parse_args(arguments)
    build(options.batch).sort_index().to_parquet(options.features)
    return 0


if __name__ == "__main__":
    sys.exit(main())
