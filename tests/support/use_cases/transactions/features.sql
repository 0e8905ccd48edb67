CREATE TABLE bought AS
SELECT
    client,
    max(shop) AS shop,
    count(*) AS purchases,
    sum(quantity * price) AS spent,
    count(CASE WHEN "order" = 'Web shop' THEN 1 END) AS web,
    count("order") AS known,
    min(sold_at) AS first_at
FROM events
WHERE sold_at >= $window_start AND sold_at < $as_of
GROUP BY client;

SELECT
    client,
    shop,
    $as_of AS as_of,
    'sufficient' AS history,
    true AS may_train,
    CAST(purchases AS DOUBLE) AS purchases,
    spent,
    CAST(web AS DOUBLE) / nullif(known, 0) AS web_share,
    CAST(date_diff('day', first_at, $as_of) AS DOUBLE) AS exposure_days,
    CAST(0 AS DOUBLE) AS open_count,
    CAST(NULL AS DOUBLE) AS oldest_open_hr
FROM bought
