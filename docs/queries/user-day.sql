-- What did one user do on one day?
--
-- Runs on: DataFusion, DuckDB
-- Change: the user, in lower case, and the day in UTC.
-- Cannot know: what the same person did under another name, or what an app did for that person
-- under its own. Activities without a time have no day.

SELECT time, app_name, event_type, action, ip, country, severity, id
FROM activities
WHERE date = DATE '2026-11-18'
  AND lower("user") = 'ann@contoso.com'
ORDER BY time, id
