-- The activities as events of OCSF 1.8, with the profiles `cloud` and `datetime`.
--
-- Runs on: DuckDB. `activities` is the table, and `ocsf_mapping` holds the rows of mapping.csv.
-- Columns: id, time, date, class_uid, reason (why an activity is only a Base Event), event (JSON).
-- Cannot know: what Microsoft means by an operation. Nobody has published a mapping of this source
-- to OCSF, so every choice in this file and in mapping.csv is ours.

CREATE OR REPLACE VIEW ocsf AS
WITH parsed AS (
    SELECT *, CASE WHEN irregular THEN NULL ELSE record::JSON END AS json
    FROM activities
),
-- What the classes need, beside the columns of the table.
fields AS (
    SELECT *,
           json ->> '$.mainInfo.rawOperationName' AS operation,
           json ->> '$.description' AS description,
           json ->> '$.aadTenantId' AS tenant,
           coalesce(json ->> '$.rawDataJson.SourceFileName',
                    nullif(regexp_extract(json ->> '$.rawDataJson.ObjectId', '[^/]+$'), ''))
               AS file_name,
           json ->> '$.rawDataJson.ObjectId' AS object_id,
           json ->> '$.rawDataJson.TeamName' AS group_name,
           coalesce(json ->> '$.rawDataJson.MailboxOwnerUPN', json ->> '$.rawDataJson.ObjectId')
               AS account,
           CASE WHEN regexp_full_match(
                    json ->> '$.rawDataJson.MailboxOwnerUPN',
                    '[a-zA-Z0-9.!#$%&*+/=?^_{|}~-]+@[a-zA-Z0-9-]+[.][a-zA-Z0-9.-]+')
                THEN json ->> '$.rawDataJson.MailboxOwnerUPN' END AS sender,
           -- OCSF checks addresses: IPv4, IPv4 within IPv6, and IPv6 in full or shortened once.
           CASE WHEN regexp_full_match(
                         ip,
                         '(::ffff:)?((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])[.]){3}'
                         || '(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])')
                  OR regexp_full_match(ip, '[0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{1,4}){7}')
                  OR (regexp_full_match(ip, '([0-9A-Fa-f]{1,4}:){1,6}(:[0-9A-Fa-f]{1,4}){1,6}')
                      AND length(ip) - length(replace(ip, ':', '')) <= 7)
                THEN ip END AS address
    FROM parsed
),
wanted AS (
    SELECT fields.*,
           coalesce(by_operation.class_uid, by_action.class_uid, 6003) AS wanted_class,
           coalesce(by_operation.activity_id, by_action.activity_id, 99) AS wanted_activity
    FROM fields
    LEFT JOIN ocsf_mapping AS by_operation
        ON by_operation.field = 'operation' AND by_operation.value = fields.operation
    LEFT JOIN ocsf_mapping AS by_action
        ON by_action.field = 'action' AND by_action.value = fields.action
),
-- An activity that lacks what its class requires becomes a Base Event.
judged AS (
    SELECT *,
           CASE
               WHEN irregular THEN 'irregular record'
               WHEN time IS NULL THEN 'no time'
               WHEN wanted_class IN (3002, 6003, 6006) AND "user" IS NULL THEN 'no user'
               WHEN wanted_class IN (6003, 6006) AND address IS NULL THEN 'no source address'
               WHEN wanted_class = 3002 AND app_name IS NULL THEN 'no service'
               WHEN wanted_class = 3001 AND account IS NULL THEN 'no account'
               WHEN wanted_class = 3006 AND group_name IS NULL THEN 'no group'
               WHEN wanted_class = 4009 AND sender IS NULL THEN 'no sender'
               WHEN wanted_class = 6006 AND file_name IS NULL THEN 'no file'
               WHEN wanted_class = 6003 AND operation IS NULL AND event_type IS NULL
                   THEN 'no operation'
           END AS reason
    FROM wanted
),
classed AS (
    SELECT *,
           CASE WHEN reason IS NULL THEN wanted_class ELSE 0 END AS class_uid,
           CASE WHEN reason IS NULL THEN wanted_activity ELSE 99 END AS activity_id
    FROM judged
)
SELECT id,
       time,
       date,
       class_uid,
       reason,
       -- The patch drops what is null in the event, and nothing of the record.
       json_merge_patch(
           json_object('unmapped', coalesce(json, json_object('irregular', record))),
           json_object(
               'class_uid', class_uid,
               'category_uid', class_uid // 1000,
               'activity_id', activity_id,
               'type_uid', class_uid * 100 + activity_id,
               'severity_id', CASE severity
                   WHEN 'INFO' THEN 1 WHEN 'LOW' THEN 2 WHEN 'MEDIUM' THEN 3 WHEN 'HIGH' THEN 4
                   ELSE 0 END,
               'time', epoch_ms(coalesce(time, created, make_timestamptz(0))),
               'time_dt', strftime(time AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ'),
               'message', description,
               'status_id', CASE
                   WHEN class_uid <> 3002 THEN 0
                   WHEN action = 'EVENT_CATEGORY_FAILED_LOGIN' OR operation = 'UserLoginFailed'
                       THEN 2
                   WHEN action = 'EVENT_CATEGORY_LOGIN' OR operation = 'UserLoggedIn' THEN 1
                   ELSE 0 END,
               'status_detail', CASE WHEN class_uid = 0 THEN reason END,
               'cloud', json_object('provider', coalesce(app_name, 'Unknown')),
               'metadata', json_object(
                   'version', '1.8.0',
                   'profiles', json_array('cloud', 'datetime'),
                   'uid', id,
                   'event_code', event_type,
                   'logged_time', epoch_ms(created),
                   'tenant_uid', tenant,
                   'product', json_object(
                       'name', 'Microsoft Defender for Cloud Apps', 'vendor_name', 'Microsoft')
               ),
               'actor', CASE WHEN class_uid NOT IN (0, 3002, 4009) AND "user" IS NOT NULL
                   THEN json_object('user', json_object('name', "user")) END,
               'user', CASE class_uid
                   WHEN 3002 THEN json_object('name', "user")
                   WHEN 3001 THEN json_object('name', account) END,
               'src_endpoint', CASE WHEN class_uid <> 0 AND address IS NOT NULL
                   THEN json_object(
                       'ip', address,
                       'location', CASE WHEN country IS NOT NULL
                           THEN json_object('country', country) END) END,
               'service', CASE WHEN class_uid = 3002 THEN json_object('name', app_name) END,
               'file', CASE WHEN class_uid = 6006 THEN json_object(
                   'name', file_name,
                   'type_id', 1,
                   'url', CASE WHEN object_id IS NOT NULL
                       THEN json_object('url_string', object_id) END) END,
               'group', CASE WHEN class_uid = 3006 THEN json_object('name', group_name) END,
               'email', CASE WHEN class_uid = 4009 THEN json_object('from', sender) END,
               'direction_id', CASE WHEN class_uid = 4009 THEN 0 END,
               'api', CASE WHEN class_uid = 6003
                   THEN json_object('operation', coalesce(operation, event_type)) END
           )
       ) AS event
FROM classed
