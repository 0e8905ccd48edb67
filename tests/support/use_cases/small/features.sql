CREATE TABLE counted AS
SELECT
    tenant_id,
    max(portfolio_id) AS portfolio_id,
    date_diff('day', min(opened_at), $as_of) AS exposure_days,
    count(CASE WHEN channel = 'visit' THEN 1 END) AS visits,
    count(CASE WHEN channel = 'chat' THEN 1 END) AS chats,
    count(CASE WHEN channel = 'chat' AND direction = 'in' THEN 1 END) AS chats_in,
    count(first_response_at) AS responses,
    sum(date_diff('microsecond', opened_at, first_response_at)) AS wait_us
FROM events
WHERE opened_at >= $window_start AND opened_at < $as_of
GROUP BY tenant_id;

SELECT
    tenant_id,
    portfolio_id,
    $as_of AS as_of,
    CASE
        WHEN exposure_days < $minimum_days THEN 'insufficient'
        WHEN exposure_days < $provisional_below THEN 'provisional'
        ELSE 'sufficient'
    END AS history,
    exposure_days >= $provisional_below AS may_train,
    CAST(visits AS DOUBLE) AS visit_count,
    CAST(wait_us AS DOUBLE) / nullif(responses, 0) / 3600000000.0 AS mean_wait_hr,
    CAST(chats_in AS DOUBLE) / nullif(chats, 0) AS chat_in_share,
    CAST(exposure_days AS DOUBLE) AS exposure_days,
    CAST(0 AS DOUBLE) AS open_count,
    CAST(NULL AS DOUBLE) AS oldest_open_hr
FROM counted
