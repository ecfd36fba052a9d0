-- Who was active in two countries within two hours?
--
-- Runs on: DataFusion, DuckDB
-- Change: the days, and the two hours (7200 seconds).
-- Cannot know: where somebody really was. VPNs, mobile networks and cloud services move the country
-- of an address, and people live near borders. So these are candidates, to be judged by the
-- addresses. Failed sign-ins do not count, since a stranger can cause them anywhere.

WITH seen AS (
    SELECT lower("user") AS "user",
           time,
           country,
           ip,
           app_name,
           lag(time) OVER (PARTITION BY lower("user") ORDER BY time, id) AS time_before,
           lag(country) OVER (PARTITION BY lower("user") ORDER BY time, id) AS country_before,
           lag(ip) OVER (PARTITION BY lower("user") ORDER BY time, id) AS ip_before
    FROM activities
    WHERE date BETWEEN DATE '2026-11-16' AND DATE '2026-11-22'
      AND "user" IS NOT NULL
      AND country IS NOT NULL
      AND coalesce(action, '') <> 'EVENT_CATEGORY_FAILED_LOGIN'
)
SELECT "user", time_before, country_before, ip_before, time, country, ip, app_name
FROM seen
WHERE country <> country_before
  AND extract(epoch FROM time) - extract(epoch FROM time_before) <= 7200
ORDER BY time, "user"
