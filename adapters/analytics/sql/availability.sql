-- How much of a period each device was there, by whatever road: a device that is connected by two is gone when it is
-- gone by both. Before its first word, and once it is removed, a device is not there.
WITH told AS (
    SELECT
        device_id, position, "at", is_there, through,
        -- Whoever was removed begins anew, with no road.
        count(*) FILTER (through IS NULL) OVER (PARTITION BY device_id ORDER BY position) AS life
    FROM presence
    WHERE "at" < CAST($until AS TIMESTAMPTZ) AND ($device IS NULL OR device_id = $device)
),
roads AS (
    SELECT
        *,
        sum(CASE WHEN through IS NULL THEN 0 WHEN is_there THEN 1 ELSE -1 END)
            OVER (PARTITION BY device_id, life ORDER BY position) AS roads
    FROM told
),
spells AS (
    SELECT
        device_id, "at", roads > 0 AS is_there,
        roads > 0 AND NOT coalesce(lag(roads > 0) OVER following, false) AS came,
        roads <= 0 AND coalesce(lag(roads > 0) OVER following, false) AS went,
        greatest("at", CAST($since AS TIMESTAMPTZ)) AS begun,
        greatest(
            coalesce(lead("at") OVER following, CAST($until AS TIMESTAMPTZ)), CAST($since AS TIMESTAMPTZ)
        ) AS ended
    FROM roads
    WINDOW following AS (PARTITION BY device_id ORDER BY position)
),
measured AS (
    SELECT *, (epoch_us(ended) - epoch_us(begun)) / 1e6 AS seconds, "at" >= CAST($since AS TIMESTAMPTZ) AS is_within
    FROM spells
)
SELECT
    device_id,
    coalesce(sum(seconds) FILTER (is_there), 0) AS seconds_there,
    round(
        coalesce(sum(seconds) FILTER (is_there), 0)
        / (epoch_us(CAST($until AS TIMESTAMPTZ)) - epoch_us(CAST($since AS TIMESTAMPTZ))) * 1e6,
        6
    ) AS availability,
    count(*) FILTER (came AND is_within) AS times_come,
    count(*) FILTER (went AND is_within) AS times_gone,
    coalesce(max(seconds) FILTER (NOT is_there), 0) AS longest_away_seconds,
    arg_max(is_there, "at") AS is_there_at_the_end
FROM measured
GROUP BY device_id
ORDER BY availability, device_id
