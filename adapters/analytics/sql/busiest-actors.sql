-- Who made the most events, of which kinds, through what.
SELECT
    actor,
    count(*) AS events,
    count(DISTINCT topic) AS kinds,
    mode(topic) AS most_often,
    list_sort(list(DISTINCT source)) AS sources,
    min("at") AS first_at,
    max("at") AS last_at
FROM events
WHERE "at" >= CAST($since AS TIMESTAMPTZ) AND "at" < CAST($until AS TIMESTAMPTZ)
    AND day BETWEEN CAST(CAST($since AS TIMESTAMPTZ) AS DATE) AND CAST(CAST($until AS TIMESTAMPTZ) AS DATE)
    AND ($context IS NULL OR context = $context)
GROUP BY actor
ORDER BY events DESC, actor
LIMIT CAST($limit AS BIGINT)
