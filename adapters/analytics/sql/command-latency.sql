-- From the moment that a command was recorded until its answer was, and how many never came to one.
WITH issued AS (
    SELECT command_id, "at" AS issued_at, device_id, kind
    FROM commands
    WHERE step = 'issued'
        AND "at" >= CAST($since AS TIMESTAMPTZ) AND "at" < CAST($until AS TIMESTAMPTZ)
        AND ($device IS NULL OR device_id = $device)
),
outcomes AS (
    SELECT command_id, arg_min(step, position) AS step, min("at") AS ended_at
    FROM commands
    WHERE step IN ('answered', 'failed', 'timed_out') AND "at" >= CAST($since AS TIMESTAMPTZ)
    GROUP BY command_id
),
ended AS (
    SELECT issued.*, outcomes.step, (epoch_us(ended_at) - epoch_us(issued_at)) / 1e3 AS ms
    FROM issued LEFT JOIN outcomes USING (command_id)
)
SELECT
    device_id,
    kind,
    count(*) AS issued,
    count(*) FILTER (step = 'answered') AS answered,
    count(*) FILTER (step = 'failed') AS failed,
    count(*) FILTER (step = 'timed_out') AS timed_out,
    count(*) FILTER (step IS NULL) AS without_outcome,
    quantile_cont(ms, 0.5) FILTER (step = 'answered') AS p50_ms,
    quantile_cont(ms, 0.9) FILTER (step = 'answered') AS p90_ms,
    quantile_cont(ms, 0.99) FILTER (step = 'answered') AS p99_ms,
    max(ms) FILTER (step = 'answered') AS slowest_ms
FROM ended
GROUP BY device_id, kind
ORDER BY issued DESC, device_id, kind
