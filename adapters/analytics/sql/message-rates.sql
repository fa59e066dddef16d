-- How many messages came to each topic in each $bucket seconds; what is not there had none.
SELECT
    name AS topic,
    time_bucket(to_seconds(CAST($bucket AS DOUBLE)), "at", CAST('2000-01-01T00:00:00Z' AS TIMESTAMPTZ)) AS since,
    CAST(sum(count) AS BIGINT) AS messages,
    count(*) AS requests,
    sum(count) / CAST($bucket AS DOUBLE) AS messages_per_second
FROM messages
WHERE "at" >= CAST($since AS TIMESTAMPTZ) AND "at" < CAST($until AS TIMESTAMPTZ)
    AND ($topic IS NULL OR name = $topic)
GROUP BY topic, since
ORDER BY topic, since
