-- What each sensor measured, and where it was silent for longer than $gap seconds; without that, for longer than five
-- times what lies between two readings usually. A reading that came twice counts once, as the first time.
WITH once AS (
    SELECT device_id, sensor_id, value_at, arg_min(value, reading_id) AS value
    FROM readings
    WHERE value_at >= CAST($since AS TIMESTAMPTZ) AND value_at < CAST($until AS TIMESTAMPTZ)
        AND ($sensor IS NULL OR sensor_id = $sensor)
        AND ($device IS NULL OR device_id = $device)
    GROUP BY device_id, sensor_id, value_at
),
spaced AS (
    SELECT
        *,
        (epoch_us(value_at) - epoch_us(lag(value_at) OVER (PARTITION BY device_id, sensor_id ORDER BY value_at))) / 1e6
            AS seconds
    FROM once
),
usual AS (
    SELECT
        device_id, sensor_id, median(seconds) AS median_seconds,
        coalesce(CAST($gap AS DOUBLE), 5 * median(seconds)) AS gap_seconds
    FROM spaced
    GROUP BY device_id, sensor_id
)
SELECT
    device_id,
    sensor_id,
    count(*) AS readings,
    min(value) AS least,
    max(value) AS greatest,
    avg(value) AS mean,
    median(value) AS median,
    coalesce(stddev_samp(value), 0) AS deviation,
    min(value_at) AS first_at,
    max(value_at) AS last_at,
    any_value(median_seconds) AS usual_seconds_between,
    count(*) FILTER (seconds > gap_seconds) AS gaps,
    coalesce(sum(seconds) FILTER (seconds > gap_seconds), 0) AS seconds_in_gaps,
    max(seconds) AS longest_gap_seconds,
    arg_max(value_at, seconds) AS longest_gap_ended_at
FROM spaced JOIN usual USING (device_id, sensor_id)
GROUP BY device_id, sensor_id
ORDER BY device_id, sensor_id
