-- Loans that a client got at the same moment are one decision, and so one row.
CREATE VIEW decisions AS
SELECT
    client_id,
    granted_at,
    max(branch) AS branch,
    count(*) AS loans,
    sum(amount) AS amount,
    max(birthday) AS birthday,
    max(employed_since) AS employed_since,
    max(CAST(has_car AS INTEGER)) AS car,
    CASE
        WHEN count(CASE WHEN outcome = 'defaulted' THEN 1 END) > 0 THEN 'defaulted'
        WHEN count(outcome) = count(*) THEN 'repaid'
    END AS outcome
FROM events
WHERE granted_at < $as_of
GROUP BY client_id, granted_at;

-- What was known when a loan was granted: the earlier loans, but not what became of them.
CREATE VIEW with_earlier AS
SELECT
    *,
    sum(loans) OVER earlier AS earlier_loans,
    sum(amount) OVER earlier AS earlier_amount,
    lag(granted_at) OVER (PARTITION BY client_id ORDER BY granted_at) AS previous_at
FROM decisions
WINDOW earlier AS (PARTITION BY client_id ORDER BY granted_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING);

SELECT
    client_id,
    branch,
    granted_at AS as_of,
    amount,
    coalesce(earlier_loans, 0) AS previous_loans,
    earlier_amount / earlier_loans AS mean_previous_amount,
    date_diff('day', previous_at, granted_at) AS days_since_previous,
    date_diff('day', birthday, granted_at) / 365.25 AS age,
    date_diff('day', employed_since, granted_at) / 365.25 AS years_on_the_job,
    car,
    outcome
FROM with_earlier
