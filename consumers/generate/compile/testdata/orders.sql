-- signalbox-sql-1+duckdb-1.5.5

CREATE TEMP TABLE "source again" AS
WITH records AS (
  SELECT ce_id AS event_id, ce_source AS event_source, ce_subject AS subject,
    CAST(coalesce(ce_time, kafka_ts) AS TIMESTAMPTZ) AS event_time,
    CAST(greatest(coalesce(ce_time, kafka_ts), coalesce(ce_recordedtime, kafka_ts)) AS TIMESTAMPTZ) AS available_time,
    kafka_partition AS "#partition", kafka_offset AS "#offset", CAST(kafka_ts AS TIMESTAMPTZ) AS "#append",
    data, data IS NOT NULL OR data_bytes IS NOT NULL AS "#full"
  FROM read_parquet(['/in/1.parquet'], union_by_name = true, hive_partitioning = false)
  WHERE ce_type = 'order.placed'
), parsed AS (
  SELECT * EXCLUDE (data), TRY(json_transform(data, '{"amount":"JSON","who":"JSON"}')) AS "#data"
  FROM records
  WHERE event_time >= TIMESTAMPTZ '2025-12-30 00:00:00.000000+00' AND event_time < TIMESTAMPTZ '2026-02-01 00:00:00.000000+00' AND available_time < TIMESTAMPTZ '2026-02-01 12:00:00.000000+00'
), texts AS (
  SELECT event_id, event_source, subject, event_time, available_time, "#partition", "#offset", "#append",
    "#full" AND "#data" IS NULL AS "#broken",
    "#data"."amount"::VARCHAR AS "#1",
    "#data"."who"::VARCHAR AS "#2"
  FROM parsed
), typed AS (
  SELECT *,
    CASE WHEN isfinite(TRY_CAST("#1" AS DOUBLE)) THEN TRY_CAST("#1" AS DOUBLE) END AS "amount",
    CASE WHEN starts_with("#2", '"') THEN json_extract_string("#2", '$') END AS "who"
  FROM texts
)
SELECT event_id, event_source, subject, event_time, available_time, "#partition", "#offset", "amount", "who",
  nullif(concat_ws(',', CASE WHEN "#broken" THEN '(data)' END,
    CASE WHEN "#1" <> 'null' AND "amount" IS NULL THEN 'amount' END,
    CASE WHEN "#2" <> 'null' AND "who" IS NULL THEN 'who' END), '') AS "#bad"
FROM typed
QUALIFY row_number() OVER (PARTITION BY event_source, event_id ORDER BY available_time, "#partition", "#offset", "#append") = 1;

CREATE TEMP TABLE "source paid" AS
WITH records AS (
  SELECT ce_id AS event_id, ce_source AS event_source, ce_subject AS subject,
    CAST(coalesce(ce_time, kafka_ts) AS TIMESTAMPTZ) AS event_time,
    CAST(greatest(coalesce(ce_time, kafka_ts), coalesce(ce_recordedtime, kafka_ts)) AS TIMESTAMPTZ) AS available_time,
    kafka_partition AS "#partition", kafka_offset AS "#offset", CAST(kafka_ts AS TIMESTAMPTZ) AS "#append",
    data, data IS NOT NULL OR data_bytes IS NOT NULL AS "#full"
  FROM (SELECT NULL::INTEGER AS kafka_partition, NULL::BIGINT AS kafka_offset, NULL::TIMESTAMPTZ AS kafka_ts,
    NULL::VARCHAR AS ce_id, NULL::VARCHAR AS ce_source, NULL::VARCHAR AS ce_type, NULL::VARCHAR AS ce_subject,
    NULL::TIMESTAMPTZ AS ce_time, NULL::TIMESTAMPTZ AS ce_recordedtime, NULL::VARCHAR AS data, NULL::BLOB AS data_bytes
    WHERE false)
  WHERE ce_type = 'order.paid'
), parsed AS (
  SELECT * EXCLUDE (data), TRY(json_transform(data, '{"method":"JSON","order":"JSON"}')) AS "#data"
  FROM records
  WHERE event_time >= TIMESTAMPTZ '2026-01-01 00:00:00.000000+00' AND event_time < TIMESTAMPTZ '2026-02-01 12:00:00.000000+00' AND available_time < TIMESTAMPTZ '2026-02-01 12:00:00.000000+00'
), texts AS (
  SELECT event_id, event_source, subject, event_time, available_time, "#partition", "#offset", "#append",
    "#full" AND "#data" IS NULL AS "#broken",
    "#data"."method"::VARCHAR AS "#1",
    "#data"."order"::VARCHAR AS "#2"
  FROM parsed
), typed AS (
  SELECT *,
    CASE WHEN starts_with("#1", '"') THEN json_extract_string("#1", '$') END AS "method",
    CASE WHEN starts_with("#2", '"') THEN json_extract_string("#2", '$') END AS "order"
  FROM texts
)
SELECT event_id, event_source, subject, event_time, available_time, "#partition", "#offset", "method", "order",
  nullif(concat_ws(',', CASE WHEN "#broken" THEN '(data)' END,
    CASE WHEN "#1" <> 'null' AND "method" IS NULL THEN 'method' END,
    CASE WHEN "#2" <> 'null' AND "order" IS NULL THEN 'order' END), '') AS "#bad"
FROM typed
QUALIFY row_number() OVER (PARTITION BY event_source, event_id ORDER BY available_time, "#partition", "#offset", "#append") = 1;

CREATE TEMP TABLE "source placed" AS
WITH records AS (
  SELECT ce_id AS event_id, ce_source AS event_source, ce_subject AS subject,
    CAST(coalesce(ce_time, kafka_ts) AS TIMESTAMPTZ) AS event_time,
    CAST(greatest(coalesce(ce_time, kafka_ts), coalesce(ce_recordedtime, kafka_ts)) AS TIMESTAMPTZ) AS available_time,
    kafka_partition AS "#partition", kafka_offset AS "#offset", CAST(kafka_ts AS TIMESTAMPTZ) AS "#append",
    data, data IS NOT NULL OR data_bytes IS NOT NULL AS "#full"
  FROM read_parquet(['/in/1.parquet', '/in/it''s 2.parquet'], union_by_name = true, hive_partitioning = false)
  WHERE ce_type = 'order.placed'
), parsed AS (
  SELECT * EXCLUDE (data), TRY(json_transform(data, '{"amount":"JSON","gift":"JSON","items":"JSON","order":"JSON","wanted":"JSON","who":"JSON"}')) AS "#data"
  FROM records
  WHERE event_time >= TIMESTAMPTZ '2026-01-01 00:00:00.000000+00' AND event_time < TIMESTAMPTZ '2026-02-01 00:00:00.000000+00' AND available_time < TIMESTAMPTZ '2026-02-01 12:00:00.000000+00'
), texts AS (
  SELECT event_id, event_source, subject, event_time, available_time, "#partition", "#offset", "#append",
    "#full" AND "#data" IS NULL AS "#broken",
    "#data"."amount"::VARCHAR AS "#1",
    "#data"."gift"::VARCHAR AS "#2",
    "#data"."items"::VARCHAR AS "#3",
    "#data"."order"::VARCHAR AS "#4",
    "#data"."wanted"::VARCHAR AS "#5",
    "#data"."who"::VARCHAR AS "#6"
  FROM parsed
), typed AS (
  SELECT *,
    CASE WHEN isfinite(TRY_CAST("#1" AS DOUBLE)) THEN TRY_CAST("#1" AS DOUBLE) END AS "amount",
    CASE "#2" WHEN 'true' THEN true WHEN 'false' THEN false END AS "gift",
    CASE WHEN TRY_CAST("#3" AS DOUBLE) = TRY_CAST("#3" AS BIGINT) THEN TRY_CAST("#3" AS BIGINT) END AS "items",
    CASE WHEN starts_with("#4", '"') THEN json_extract_string("#4", '$') END AS "order",
    CASE WHEN regexp_full_match("#5", '"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})"') THEN TRY_CAST(upper(trim("#5", '"')) AS TIMESTAMPTZ) END AS "wanted",
    CASE WHEN starts_with("#6", '"') THEN json_extract_string("#6", '$') END AS "who"
  FROM texts
)
SELECT event_id, event_source, subject, event_time, available_time, "#partition", "#offset", "amount", "gift", "items", "order", "wanted", "who",
  nullif(concat_ws(',', CASE WHEN "#broken" THEN '(data)' END,
    CASE WHEN "#1" <> 'null' AND "amount" IS NULL THEN 'amount' END,
    CASE WHEN "#2" <> 'null' AND "gift" IS NULL THEN 'gift' END,
    CASE WHEN "#3" <> 'null' AND "items" IS NULL THEN 'items' END,
    CASE WHEN "#4" <> 'null' AND "order" IS NULL THEN 'order' END,
    CASE WHEN "#5" <> 'null' AND "wanted" IS NULL THEN 'wanted' END,
    CASE WHEN "#6" <> 'null' AND "who" IS NULL THEN 'who' END), '') AS "#bad"
FROM typed
QUALIFY row_number() OVER (PARTITION BY event_source, event_id ORDER BY available_time, "#partition", "#offset", "#append") = 1;

CREATE TEMP TABLE "spine" AS
SELECT row_number() OVER (ORDER BY event_time, "customer", event_id, "#source") AS "#row", *
FROM (
  SELECT event_time, event_id, event_source AS "#source",
  (amount) AS "amount",
  (who) AS "customer",
  (gift) AS "gift",
  ("order") AS "number"
  FROM "source placed"
  WHERE event_time >= TIMESTAMPTZ '2026-01-01 00:00:00.000000+00' AND event_time < TIMESTAMPTZ '2026-02-01 00:00:00.000000+00'
    AND (amount > 0)
);

CREATE TEMP TABLE "feature 1" AS
WITH candidates AS (
  SELECT *, greatest(epoch_us(available_time), epoch_us(event_time) + 1) AS "#visible"
  FROM "source again"
  WHERE true
    AND (amount < 100)
), newest AS (
  SELECT *
  FROM candidates
  WINDOW entity AS (PARTITION BY "who" ORDER BY "#visible", event_time, available_time, "#partition", "#offset")
  QUALIFY event_time >= coalesce(max(event_time) OVER (entity ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), event_time)
    AND lead("#visible") OVER entity IS DISTINCT FROM "#visible"
), matched AS (
  SELECT f.*, s."#row", s.event_time AS spine_time,
    epoch_us(greatest(f.event_time, f.available_time)) - epoch_us(s.event_time) AS "#lead"
  FROM "spine" s ASOF JOIN newest f ON s."customer" = f."who" AND epoch_us(s.event_time) >= f."#visible"
)
SELECT "#row", "#lead",
  (date_diff('hour', event_time, spine_time)) AS "last_age",
  (amount) AS "last_amount"
FROM (SELECT * FROM matched WHERE epoch_us(spine_time) - epoch_us(event_time) <= 172800000000);

CREATE TEMP TABLE "label" AS
WITH candidates AS (
  SELECT *
  FROM "source paid"
  WHERE true
), distinct_times AS (
  SELECT *
  FROM candidates
  QUALIFY row_number() OVER (PARTITION BY "order", event_time ORDER BY available_time, "#partition", "#offset") = 1
), first_by_time AS (
  SELECT l.*, s."#row", s.event_time AS spine_time
  FROM "spine" s ASOF JOIN distinct_times l ON s."number" = l."order" AND s.event_time <= l.event_time
), next_in_time AS (
  SELECT l.*, s."#row", s.spine_time
  FROM (SELECT * FROM first_by_time WHERE NOT (epoch_us(available_time) - epoch_us(spine_time) <= 43200000000)) s JOIN candidates l ON s."order" = l."order" AND s.spine_time <= l.event_time
  WHERE epoch_us(l.available_time) - epoch_us(s.spine_time) <= 43200000000
  QUALIFY row_number() OVER (PARTITION BY s."#row" ORDER BY l.event_time, l.available_time, l."#partition", l."#offset") = 1
)
SELECT "#row",
  (method = 'card') AS "by_card"
FROM (
  SELECT * FROM first_by_time WHERE epoch_us(available_time) - epoch_us(spine_time) <= 43200000000
  UNION ALL BY NAME
  SELECT * FROM next_in_time
);

CREATE TEMP VIEW "dataset" AS
SELECT s."#row", "event_time", "event_id", "amount", "customer", "gift", "number", "last_age", "last_amount", "by_card"
FROM (SELECT * EXCLUDE ("#source") FROM "spine") s
JOIN "label" USING ("#row")
LEFT JOIN (SELECT * EXCLUDE ("#lead") FROM "feature 1") USING ("#row")
WHERE "by_card" IS NOT NULL;

-- check rows
SELECT 'spine', count(*) FROM "spine"
UNION ALL SELECT 'labelled', count(*) FROM "label"
UNION ALL SELECT 'label_null', count(*) FROM "label" WHERE "by_card" IS NULL;

-- check cast
SELECT 'again.' || field, count(*)
FROM (SELECT unnest(string_split("#bad", ',')) AS field FROM "source again")
GROUP BY field
UNION ALL SELECT 'paid.' || field, count(*)
FROM (SELECT unnest(string_split("#bad", ',')) AS field FROM "source paid")
GROUP BY field
UNION ALL SELECT 'placed.' || field, count(*)
FROM (SELECT unnest(string_split("#bad", ',')) AS field FROM "source placed")
GROUP BY field;

-- check lead
SELECT 'last', max("#lead") FROM "feature 1" HAVING count(*) > 0;
