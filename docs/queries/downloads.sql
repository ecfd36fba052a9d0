-- Who downloaded the most files?
--
-- Runs on: DataFusion, DuckDB
-- Change: the days.
-- Cannot know: how large the files were, and whether somebody opened them without downloading.
-- Downloads are counted by Microsoft's category or by the operation of the Office 365 audit; the
-- operations of other apps may have other names. A synchronised folder counts one download for each
-- of its files.

SELECT lower("user") AS "user",
       count(*) AS downloads,
       count(DISTINCT ip) AS addresses,
       min(time) AS first,
       max(time) AS last
FROM activities
WHERE date BETWEEN DATE '2026-11-16' AND DATE '2026-11-22'
  AND "user" IS NOT NULL
  AND (action = 'EVENT_CATEGORY_DOWNLOAD_FILE'
       OR record ~ '.*"rawOperationName"\s*:\s*"File(Sync)?Downloaded.*')
GROUP BY lower("user")
ORDER BY downloads DESC, "user"
LIMIT 20
