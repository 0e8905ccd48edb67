-- One row for each customer who bought something before $as_of. Money is counted in whole cents, so that neither the
-- order of the rows nor the engine changes a bit of a sum.
CREATE VIEW known AS
SELECT customer_id, invoice, product, quantity, bought_at, CAST(round(quantity * price * 100) AS BIGINT) AS cents
FROM events
WHERE bought_at < $as_of;

CREATE TABLE orders_known AS
SELECT customer_id, invoice, min(bought_at) AS ordered_at, count(*) AS lines, sum(cents) AS cents
FROM known
WHERE quantity > 0
GROUP BY customer_id, invoice;

CREATE VIEW spaced AS
SELECT
    customer_id,
    lines,
    cents,
    ordered_at,
    date_diff(
        'second', lag(ordered_at) OVER (PARTITION BY customer_id ORDER BY ordered_at, invoice), ordered_at
    ) AS gap_seconds
FROM orders_known;

CREATE TABLE ordered AS
SELECT
    customer_id,
    min(ordered_at) AS first_at,
    max(ordered_at) AS last_at,
    count(*) AS orders,
    count(CASE WHEN ordered_at >= $as_of - INTERVAL 90 DAY THEN 1 END) AS orders_90_days,
    sum(gap_seconds) AS gaps_seconds,
    count(gap_seconds) AS gaps,
    max(gap_seconds) AS longest_gap_seconds,
    sum(lines) AS lines,
    sum(cents) AS cents
FROM spaced
GROUP BY customer_id;

CREATE TABLE bought AS
SELECT
    customer_id,
    sum(cents) AS cents,
    count(DISTINCT CASE WHEN quantity > 0 THEN product END) AS distinct_products,
    count(CASE WHEN quantity < 0 THEN 1 END) AS returned
FROM known
GROUP BY customer_id;

SELECT
    ordered.customer_id,
    date_diff('second', last_at, $as_of) / 86400.0 AS recency_days,
    date_diff('second', first_at, $as_of) / 86400.0 AS known_days,
    least(date_diff('second', first_at, $as_of) / 86400.0, 730.0) AS exposure_days,
    orders,
    orders_90_days,
    gaps_seconds / 86400.0 / nullif(gaps, 0) AS mean_gap_days,
    longest_gap_seconds / 86400.0 AS longest_gap_days,
    bought.cents / 100.0 AS spent,
    ordered.cents / 100.0 / orders AS mean_order_value,
    CAST(lines AS DOUBLE) / orders AS lines_per_order,
    distinct_products,
    least(CAST(returned AS DOUBLE) / lines, 1.0) AS returned_share
FROM ordered
JOIN bought ON bought.customer_id = ordered.customer_id
