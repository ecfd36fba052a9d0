-- Which apps were used for the first time?
--
-- Runs on: DataFusion, DuckDB
-- Change: the day from which on an app is new.
-- Cannot know: what was used before the table begins, so choose a day well after that. Apps that
-- are not connected to Defender for Cloud Apps have no activities.

SELECT app_id,
       min(app_name) AS app_name,
       min(time) AS first_seen,
       count(*) AS activities,
       count(DISTINCT lower("user")) AS users
FROM activities
WHERE app_id IS NOT NULL
GROUP BY app_id
HAVING min(date) >= DATE '2026-11-16'
ORDER BY first_seen, app_id
