"""The design's table of feature rules, once more, in plain Python: slow, obvious, and independent of the SQL."""

from datetime import datetime, timedelta


def hours(delta: timedelta) -> float:
    return delta / timedelta(hours=1)


def mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def settle(rows: list[dict], as_of: datetime) -> dict | None:
    """One event from the rows that carry its id, as far as opened and written by then; None when none had been."""
    written = [
        row for row in rows if row["opened_at"] < as_of and (not row["recorded_at"] or row["recorded_at"] < as_of)
    ]
    if not written:
        return None
    latest = max((row["recorded_at"] for row in written if row["recorded_at"]), default=None)

    def known_at(row: dict) -> datetime:
        return max(row[key] for key in ("opened_at", "first_response_at", "resolved_at") if row[key])

    last_words = [row for row in written if row["recorded_at"] == latest]
    known = [row for row in last_words if known_at(row) < as_of]
    kept = max(known, key=known_at) if known else min(last_words, key=known_at)
    responses = [row["first_response_at"] for row in written if row["first_response_at"]]
    resolutions = [row["resolved_at"] for row in written if row["resolved_at"]]
    first = min((t for t in responses if t < as_of), default=None)
    last = max((t for t in resolutions if t < as_of), default=None)
    if first is not None and first < kept["opened_at"]:
        first = kept["first_response_at"] if kept["first_response_at"] and kept["first_response_at"] < as_of else None
    if last is not None and last < kept["opened_at"]:
        last = None
    return kept | {"first_response_at": first, "resolved_at": last}


def plain_features(events: list[dict], as_of: datetime) -> dict[str, dict]:
    by_id: dict[str, list[dict]] = {}
    for event in events:
        by_id.setdefault(event["event_id"], []).append(event)
    by_tenant: dict[str, list[dict]] = {}
    for copies in by_id.values():
        event = settle(copies, as_of)
        if event and event["opened_at"] < as_of:
            by_tenant.setdefault(event["tenant_id"], []).append(event)
    return {tenant: one_tenant(seen, as_of) for tenant, seen in by_tenant.items()}


def one_tenant(seen: list[dict], as_of: datetime) -> dict:
    window = as_of - timedelta(days=365)
    starts = [event["tenancy_start_at"] for event in seen if event.get("tenancy_start_at")]
    ends = [event["tenancy_end_at"] for event in seen if event.get("tenancy_end_at")]
    began = max(window, min(starts) if starts else min(event["opened_at"] for event in seen))
    ended = min(as_of, max(ends) if ends else as_of)
    exposure = max((ended - began) / timedelta(days=1), 0.0)
    inside = [event for event in seen if event["opened_at"] >= window]
    of = {channel: [e for e in inside if e["channel"] == channel] for channel in ("ticket", "work_order", "call")}
    requests = [e for e in inside if e["channel"] == "maintenance_request"]
    # Without a known move-in, exposure begins with the first event, which is then no evidence of how often they come.
    first = None if starts else min(event["opened_at"] for event in seen)
    timed = of["ticket"] + requests
    inbound = [e for e in of["call"] if e["direction"] == "inbound" and e["answered"] is not None]
    still_open = [e for e in timed if e["resolved_at"] is None]

    def yearly(events: list[dict]) -> float | None:
        return None if exposure < 90 else sum(e["opened_at"] != first for e in events) * 365 / exposure

    return {
        "portfolio_id": max(seen, key=lambda e: (e["opened_at"], e["portfolio_id"]))["portfolio_id"],
        "history": "insufficient" if exposure < 90 else "provisional" if exposure < 180 else "sufficient",
        "may_train": exposure >= 180,
        "exposure_days": exposure,
        "work_order_count": yearly(of["work_order"]),
        "escalation_count": yearly([e for e in inside if e["escalated"]]),
        "total_maintenance_tickets": yearly(requests),
        "total_tickets": yearly(of["ticket"]),
        "outbound_call_count": yearly([e for e in of["call"] if e["direction"] == "outbound"]),
        "mean_first_response_hr": mean(
            [hours(e["first_response_at"] - e["opened_at"]) for e in timed if e["first_response_at"]]
        ),
        "mean_full_resolution_hr": mean([hours(e["resolved_at"] - e["opened_at"]) for e in timed if e["resolved_at"]]),
        "answer_rate": mean([float(e["answered"]) for e in inbound]),
        "positive_rate": mean([float(e["sentiment"] == "positive") for e in of["ticket"]]),
        "negative_rate": mean([float(e["sentiment"] == "negative") for e in of["ticket"]]),
        "open_count": float(len(still_open)),
        "oldest_open_hr": max((hours(as_of - e["opened_at"]) for e in still_open), default=None),
    }
