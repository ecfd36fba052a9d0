-- Which apps have activities that arrived late, and how late did Microsoft save them?
--
-- Runs on: DataFusion, DuckDB
-- Change: the days.
-- Cannot know: when the API showed an activity. It may have saved it in time and shown it late.
-- Whether later passes are still to come for a day, the newest manifest says.

SELECT app_name,
       count(*) AS late,
       round(max(extract(epoch FROM created) - extract(epoch FROM time)) / 3600, 1) AS most_hours
FROM activities
WHERE date BETWEEN DATE '2026-11-16' AND DATE '2026-11-22'
  AND "pass" <> 'first'
GROUP BY app_name
ORDER BY late DESC, app_name
