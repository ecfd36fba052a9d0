-- Which administrative activities happened at night?
--
-- Runs on: DataFusion, DuckDB
-- Change: the days, and the hours of the night in UTC (22 to 6).
-- Cannot know: the time zone of a person, and every administrative activity. Microsoft does not
-- document the field `adminEvent`. To be exact, configure a scan of its own with the documented
-- filter {"activity.type": {"eq": true}}, and select by the column `scan` instead.

SELECT time, "user", app_name, event_type, ip, country
FROM activities
WHERE date BETWEEN DATE '2026-11-16' AND DATE '2026-11-22'
  AND (extract(hour FROM time AT TIME ZONE 'UTC') >= 22
       OR extract(hour FROM time AT TIME ZONE 'UTC') < 6)
  AND record ~ '.*"adminEvent"\s*:\s*true.*'
ORDER BY time, id
