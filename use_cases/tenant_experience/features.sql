-- One row for each tenant seen before $as_of. It reads:
--   events                             one row for each line of the log, times in UTC; when repeated is false, no other
--                                      row has the same event_id
--   $as_of, $window_start              timestamps
--   $minimum_days, $provisional_below  thresholds of exposure, in days
-- A view is computed whenever it is read, and a table once; the last statement is the result.
-- Sums are over whole microseconds, so that neither the order of the rows nor the engine changes a bit of the result.
CREATE VIEW copies AS
SELECT
    *,
    greatest(opened_at, coalesce(first_response_at, opened_at), coalesce(resolved_at, opened_at)) AS known_at,
    min(CASE WHEN first_response_at < $as_of THEN first_response_at END)
        OVER (PARTITION BY event_id) AS earliest_response_at,
    -- resolved again: the last resolution before as_of
    max(CASE WHEN resolved_at < $as_of THEN resolved_at END)
        OVER (PARTITION BY event_id) AS latest_resolution_at
FROM events
-- in an event log, a row recorded at or after as_of is not known yet; nor is an event that opened at or after as_of
WHERE repeated AND opened_at < $as_of AND coalesce(recorded_at < $as_of, true);

CREATE TABLE ranked AS
-- The copy that counts is the last recorded one; else the last one known before as_of; if all are later, the earliest.
SELECT
    *,
    row_number() OVER (
        PARTITION BY event_id
        ORDER BY
            coalesce(recorded_at, TIMESTAMP '1900-01-01') DESC,
            CASE WHEN known_at < $as_of THEN 0 ELSE 1 END,
            CASE WHEN known_at < $as_of THEN known_at END DESC,
            known_at,
            -- the rest only breaks ties, in the same way for every order of the rows
            opened_at, coalesce(first_response_at, TIMESTAMP '1900-01-01'), tenant_id, portfolio_id, channel,
            coalesce(direction, ''), coalesce(sentiment, ''),
            coalesce(CAST(escalated AS INTEGER), -1), coalesce(CAST(answered AS INTEGER), -1),
            coalesce(tenancy_start_at, TIMESTAMP '1900-01-01'), coalesce(tenancy_end_at, TIMESTAMP '1900-01-01')
    ) AS copy
FROM copies;

CREATE VIEW known AS
-- a response or resolution at or after as_of has not happened yet
SELECT
    tenant_id, portfolio_id, channel, direction, answered, escalated, sentiment,
    opened_at, tenancy_start_at, tenancy_end_at,
    CASE WHEN first_response_at < $as_of THEN first_response_at END AS first_response_at,
    CASE WHEN resolved_at < $as_of THEN resolved_at END AS resolved_at
FROM events
WHERE NOT repeated AND opened_at < $as_of AND coalesce(recorded_at < $as_of, true)
UNION ALL
SELECT
    tenant_id, portfolio_id, channel, direction, answered, escalated, sentiment,
    opened_at, tenancy_start_at, tenancy_end_at,
    -- a response that another copy dates before this copy opened does not belong to it: no duration is negative
    CASE WHEN earliest_response_at >= opened_at THEN earliest_response_at
         WHEN first_response_at < $as_of THEN first_response_at END,
    CASE WHEN latest_resolution_at >= opened_at THEN latest_resolution_at END
FROM ranked
WHERE copy = 1;

-- Three narrow aggregations instead of one wide one: a group for each tenant, with all its sums, must fit in memory.
CREATE TABLE seen_in AS
SELECT
    tenant_id,
    portfolio_id,
    min(opened_at) AS first_opened_at,
    max(opened_at) AS last_opened_at,
    min(tenancy_start_at) AS tenancy_start_at,
    max(tenancy_end_at) AS tenancy_end_at
FROM known
GROUP BY tenant_id, portfolio_id;

CREATE TABLE seen AS
-- the portfolio of the last event; of events at the same moment, the alphabetically last portfolio
SELECT
    tenant_id,
    max_by(portfolio_id, struct_pack(last_opened_at := last_opened_at, portfolio_id := portfolio_id)) AS portfolio_id,
    coalesce(min(tenancy_start_at), min(first_opened_at)) AS known_from,
    -- the first event, where the exposure begins with it because no one knows when the tenant moved in
    CASE WHEN min(tenancy_start_at) IS NULL THEN min(first_opened_at) END AS first_event_at,
    max(tenancy_end_at) AS known_until
FROM seen_in
GROUP BY tenant_id;

CREATE VIEW inside AS
-- Exposure that begins with an event always has that event, so it says nothing about how often events come: counting it
-- would add one to every such tenant. Nor do others at the same moment count. An event before the window is not in it.
SELECT
    known.tenant_id, channel, direction, answered, escalated, sentiment,
    coalesce(opened_at > first_event_at, true) AS counts
FROM known
JOIN seen ON seen.tenant_id = known.tenant_id
-- messages and emails are only counted when they were escalated
WHERE opened_at >= $window_start AND (channel NOT IN ('message', 'email') OR escalated);

CREATE TABLE counted AS
-- The tone of the first event and whether it was answered do not depend on its being the first: shares are over all.
SELECT
    tenant_id,
    count(CASE WHEN counts AND channel = 'work_order' THEN 1 END) AS work_orders,
    count(CASE WHEN counts AND escalated THEN 1 END) AS escalations,
    count(CASE WHEN counts AND channel = 'maintenance_request' THEN 1 END) AS maintenance_requests,
    count(CASE WHEN counts AND channel = 'ticket' THEN 1 END) AS tickets,
    count(CASE WHEN counts AND channel = 'call' AND direction = 'outbound' THEN 1 END) AS outbound_calls,
    count(CASE WHEN channel = 'ticket' THEN 1 END) AS all_tickets,
    count(CASE WHEN channel = 'ticket' AND sentiment = 'positive' THEN 1 END) AS positive_tickets,
    count(CASE WHEN channel = 'ticket' AND sentiment = 'negative' THEN 1 END) AS negative_tickets,
    count(CASE WHEN channel = 'call' AND direction = 'inbound' THEN answered END) AS known_calls,
    count(CASE WHEN channel = 'call' AND direction = 'inbound' AND answered THEN 1 END) AS answered_calls
FROM inside
GROUP BY tenant_id;

CREATE TABLE timed AS
SELECT
    tenant_id,
    count(first_response_at) AS responses,
    sum(date_diff('microsecond', opened_at, first_response_at)) AS response_us,
    count(resolved_at) AS resolutions,
    sum(date_diff('microsecond', opened_at, resolved_at)) AS resolution_us,
    -- open items are not part of the means
    count(CASE WHEN resolved_at IS NULL THEN 1 END) AS open_items,
    min(CASE WHEN resolved_at IS NULL THEN opened_at END) AS oldest_open_at
FROM known
-- hours are those of tickets and maintenance requests, not of work orders; also of the first event, as shares are
WHERE opened_at >= $window_start AND channel IN ('ticket', 'maintenance_request')
GROUP BY tenant_id;

CREATE VIEW exposed AS
SELECT
    seen.tenant_id,
    seen.portfolio_id,
    greatest(
        date_diff(
            'microsecond',
            greatest($window_start, seen.known_from),
            least($as_of, coalesce(seen.known_until, $as_of))
        ),
        0
    ) / 86400000000.0 AS exposure_days
FROM seen;

CREATE VIEW classed AS
SELECT
    exposed.*,
    CASE
        WHEN exposure_days < $minimum_days THEN 'insufficient'
        WHEN exposure_days < $provisional_below THEN 'provisional'
        ELSE 'sufficient'
    END AS history,
    -- to annualise counts; null when there is too little history for more than a guess
    CASE WHEN exposure_days > 0 AND exposure_days >= $minimum_days THEN 365.0 / exposure_days END AS per_year
FROM exposed;

-- A count is 0 when there is nothing to count; a mean or rate without a denominator is null, never 0 or 1.
SELECT
    classed.tenant_id,
    portfolio_id,
    $as_of AS as_of,
    history,
    history = 'sufficient' AS may_train,
    coalesce(work_orders, 0) * per_year AS work_order_count,
    coalesce(escalations, 0) * per_year AS escalation_count,
    coalesce(maintenance_requests, 0) * per_year AS total_maintenance_tickets,
    CAST(response_us AS DOUBLE) / nullif(responses, 0) / 3600000000.0 AS mean_first_response_hr,
    CAST(resolution_us AS DOUBLE) / nullif(resolutions, 0) / 3600000000.0 AS mean_full_resolution_hr,
    coalesce(tickets, 0) * per_year AS total_tickets,
    CAST(answered_calls AS DOUBLE) / nullif(known_calls, 0) AS answer_rate,
    coalesce(outbound_calls, 0) * per_year AS outbound_call_count,
    CAST(positive_tickets AS DOUBLE) / nullif(all_tickets, 0) AS positive_rate,
    CAST(negative_tickets AS DOUBLE) / nullif(all_tickets, 0) AS negative_rate,
    exposure_days,
    CAST(coalesce(open_items, 0) AS DOUBLE) AS open_count,
    date_diff('microsecond', oldest_open_at, $as_of) / 3600000000.0 AS oldest_open_hr
FROM classed
LEFT JOIN counted ON counted.tenant_id = classed.tenant_id
LEFT JOIN timed ON timed.tenant_id = classed.tenant_id
