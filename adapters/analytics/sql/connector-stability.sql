-- How much of a period each connector client was running, how often it failed, and why at last.
WITH told AS (
    SELECT
        aggregate_id AS client_id, position, "at", data,
        split_part(topic, '.', 3) AS step
    FROM events
    WHERE context = 'connectors' AND topic LIKE 'connectors.client.%' AND "at" < CAST($until AS TIMESTAMPTZ)
        AND ($client IS NULL OR aggregate_id = $client)
),
-- What it gains and loses, and a removal that was refused, change nothing of whether it runs.
steps AS (
    SELECT
        *,
        greatest("at", CAST($since AS TIMESTAMPTZ)) AS begun,
        greatest(
            coalesce(lead("at") OVER (PARTITION BY client_id ORDER BY position), CAST($until AS TIMESTAMPTZ)),
            CAST($since AS TIMESTAMPTZ)
        ) AS ended,
        "at" >= CAST($since AS TIMESTAMPTZ) AS is_within
    FROM told
    WHERE step IN ('created', 'admitted', 'started', 'failed', 'resumed', 'removed')
)
SELECT
    client_id,
    any_value(data ->> '$.type_id') FILTER (step = 'created') AS type_id,
    arg_max(step, position) AS last_step,
    count(*) FILTER (step = 'started' AND is_within) AS times_started,
    count(*) FILTER (step = 'failed' AND is_within) AS times_failed,
    coalesce(sum((epoch_us(ended) - epoch_us(begun)) / 1e6) FILTER (step = 'started'), 0) AS seconds_running,
    round(
        coalesce(sum(epoch_us(ended) - epoch_us(begun)) FILTER (step = 'started'), 0)
        / (epoch_us(CAST($until AS TIMESTAMPTZ)) - epoch_us(CAST($since AS TIMESTAMPTZ))),
        6
    ) AS share_running,
    arg_max(data ->> '$.reason', position) FILTER (step = 'failed') AS last_failure
FROM steps
GROUP BY client_id
ORDER BY times_failed DESC, client_id
