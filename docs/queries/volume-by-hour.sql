-- How many activities were there in each hour?
--
-- Runs on: DataFusion, DuckDB
-- Change: the days.
-- Cannot know: hours without any activity: they have no row. The count of an hour may grow until
-- the hour is final, because late activities arrive on the hour in which they happened.

SELECT date_trunc('hour', time AT TIME ZONE 'UTC') AS hour,
       count(*) AS activities,
       count(DISTINCT lower("user")) AS users
FROM activities
WHERE date BETWEEN DATE '2026-11-16' AND DATE '2026-11-22'
GROUP BY date_trunc('hour', time AT TIME ZONE 'UTC')
ORDER BY hour
