-- From which countries did users sign in, and how often did it fail?
--
-- Runs on: DataFusion, DuckDB
-- Change: the days.
-- Cannot know: sign-ins of directories and apps that are not connected, and the country of an
-- address that Microsoft could not place: it is null. A failed sign-in proves only that somebody
-- knew or guessed a name.

SELECT country,
       sum(CASE WHEN action = 'EVENT_CATEGORY_LOGIN' THEN 1 ELSE 0 END) AS succeeded,
       sum(CASE WHEN action = 'EVENT_CATEGORY_FAILED_LOGIN' THEN 1 ELSE 0 END) AS failed,
       count(DISTINCT lower("user")) AS users
FROM activities
WHERE date BETWEEN DATE '2026-11-16' AND DATE '2026-11-22'
  AND action IN ('EVENT_CATEGORY_LOGIN', 'EVENT_CATEGORY_FAILED_LOGIN')
GROUP BY country
ORDER BY succeeded DESC, failed DESC, country
