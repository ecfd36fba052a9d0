-- Who deleted 20 files or more within one hour?
--
-- Runs on: DataFusion, DuckDB
-- Change: the days, the 20 files, and the hour, which slides.
-- Cannot know: whether the files can be restored, and how many files were in a deleted folder.
-- Deletions are recognised by the operation of the Office 365 audit, or by a category that begins
-- with EVENT_CATEGORY_DELETE. Microsoft does not list the categories, so the latter is a guess.

WITH deleted AS (
    SELECT lower("user") AS "user",
           time,
           count(*) OVER (
               PARTITION BY lower("user")
               ORDER BY time
               RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND CURRENT ROW
           ) AS within_hour
    FROM activities
    WHERE date BETWEEN DATE '2026-11-16' AND DATE '2026-11-22'
      AND "user" IS NOT NULL
      AND (action LIKE 'EVENT_CATEGORY_DELETE%'
           OR record ~ '.*"rawOperationName"\s*:\s*"(File|Folder)(Deleted|Recycled)".*')
)
SELECT "user",
       max(within_hour) AS most_within_hour,
       count(*) AS deleted,
       min(time) AS first,
       max(time) AS last
FROM deleted
GROUP BY "user"
HAVING max(within_hour) >= 20
ORDER BY most_within_hour DESC, "user"
