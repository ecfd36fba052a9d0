-- What happened to one file?
--
-- Runs on: DuckDB (DataFusion has no functions for JSON)
-- Change: the days, and the address of the file, exactly as the Office 365 audit writes it.
-- Cannot know: what the file was called before it was renamed or moved, and activities of apps
-- whose records name files in another field than rawDataJson.ObjectId. Irregular records are left
-- out, since they are not strict JSON.

WITH files AS (
    SELECT time,
           "user",
           ip,
           country,
           id,
           CASE WHEN irregular THEN NULL ELSE record END AS json
    FROM activities
    WHERE date BETWEEN DATE '2026-11-16' AND DATE '2026-11-22'
)
SELECT time, json ->> '$.mainInfo.rawOperationName' AS operation, "user", ip, country, id
FROM files
WHERE json ->> '$.rawDataJson.ObjectId' = 'https://contoso.example/sites/board/Documents/Plan.docx'
ORDER BY time, id
