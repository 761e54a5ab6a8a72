package compile

import (
	"fmt"
	"strings"

	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// noFiles has the columns of the archive that sources read, and no rows.
const noFiles = `(SELECT NULL::INTEGER AS kafka_partition, NULL::BIGINT AS kafka_offset, NULL::TIMESTAMPTZ AS kafka_ts,
    NULL::VARCHAR AS ce_id, NULL::VARCHAR AS ce_source, NULL::VARCHAR AS ce_type, NULL::VARCHAR AS ce_subject,
    NULL::TIMESTAMPTZ AS ce_time, NULL::TIMESTAMPTZ AS ce_recordedtime, NULL::VARCHAR AS data, NULL::BLOB AS data_bytes
    WHERE false)`

// rfc3339 is a JSON string with a date and time, as in CloudEvents.
const rfc3339 = `"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})"`

// source reads files as a table: both clocks, typed fields, of each event the delivery that made it known, and in "#bad"
// the names of the fields whose values do not have their type. Rows that nothing can see are dropped before the JSON is parsed; what a
// dataset holds therefore does not depend on which other rows its files happen to hold.
func (c *compiler) source(name string) string {
	s := c.d.Sources[name]
	fields := sorted(s.Fields)
	var members, texts, types, bad []string
	for i, f := range fields {
		text := fmt.Sprintf(`"#%d"`, i+1)
		members = append(members, fmt.Sprintf(`"%s":"JSON"`, f))
		texts = append(texts, fmt.Sprintf(",\n    \"#data\".%s::VARCHAR AS %s", quote(f), text))
		types = append(types, fmt.Sprintf(",\n    %s AS %s", cast(text, s.Fields[f]), quote(f)))
		bad = append(bad, fmt.Sprintf(",\n    CASE WHEN %s <> 'null' AND %s IS NULL THEN %s END", text, quote(f), literal(f)))
	}
	parse := "data" // without fields nothing is read from it
	if len(fields) > 0 {
		parse = fmt.Sprintf("TRY(json_transform(data, '{%s}'))", strings.Join(members, ","))
	}
	return fmt.Sprintf(`CREATE TEMP TABLE %s AS
WITH records AS (
  SELECT ce_id AS event_id, ce_source AS event_source, ce_subject AS subject,
    CAST(coalesce(ce_time, kafka_ts) AS TIMESTAMPTZ) AS event_time,
    CAST(greatest(coalesce(ce_time, kafka_ts), %s) AS TIMESTAMPTZ) AS available_time,
    kafka_partition AS "#partition", kafka_offset AS "#offset", CAST(kafka_ts AS TIMESTAMPTZ) AS "#append",
    data, data IS NOT NULL OR data_bytes IS NOT NULL AS "#full"
  FROM %s
  WHERE ce_type = %s
), parsed AS (
  SELECT * EXCLUDE (data), %s AS "#data"
  FROM records
  WHERE %s
), texts AS (
  SELECT event_id, event_source, subject, event_time, available_time, "#partition", "#offset", "#append",
    "#full" AND "#data" IS NULL AS "#broken"%s
  FROM parsed
), typed AS (
  SELECT *%s
  FROM texts
)
SELECT event_id, event_source, subject, event_time, available_time, "#partition", "#offset"%s,
  nullif(concat_ws(',', CASE WHEN "#broken" THEN '(data)' END%s), '') AS "#bad"
FROM typed
QUALIFY row_number() OVER (PARTITION BY event_source, event_id ORDER BY available_time, "#partition", "#offset", "#append") = 1`,
		sourceTable(name), c.available(), c.files(name), literal(s.Type), parse, c.visible(name),
		strings.Join(texts, ""), strings.Join(types, ""), names(fields), strings.Join(bad, ""))
}

func (c *compiler) available() string {
	if c.d.Available == spec.AvailableRecorded {
		return "coalesce(ce_recordedtime, kafka_ts)"
	}
	return "kafka_ts"
}

func (c *compiler) files(source string) string {
	if len(c.in[source]) == 0 {
		return noFiles
	}
	list := make([]string, len(c.in[source]))
	for i, f := range c.in[source] {
		list[i] = literal(f)
	}
	return "read_parquet([" + strings.Join(list, ", ") + "], union_by_name = true, hive_partitioning = false)"
}

// visible is the condition for rows that can show in the dataset.
func (c *compiler) visible(source string) string {
	r := c.reach[source]
	cond := fmt.Sprintf("event_time < %s AND available_time < %s", instant(r.To), instant(Horizon(c.d, c.w)))
	if !r.From.IsZero() {
		cond = fmt.Sprintf("event_time >= %s AND ", instant(r.From)) + cond
	}
	return cond
}

// cast types the JSON text of a value, to null where it is of another type. 3.0 is an integer, as in JSON Schema.
func cast(text, typ string) string {
	switch typ {
	case manifest.Integer:
		return fmt.Sprintf("CASE WHEN TRY_CAST(%[1]s AS DOUBLE) = TRY_CAST(%[1]s AS BIGINT) THEN TRY_CAST(%[1]s AS BIGINT) END", text)
	case manifest.Number:
		return fmt.Sprintf("CASE WHEN isfinite(TRY_CAST(%[1]s AS DOUBLE)) THEN TRY_CAST(%[1]s AS DOUBLE) END", text)
	case manifest.Boolean:
		return fmt.Sprintf("CASE %s WHEN 'true' THEN true WHEN 'false' THEN false END", text)
	case manifest.Timestamp:
		return fmt.Sprintf("CASE WHEN regexp_full_match(%[1]s, %[2]s) THEN TRY_CAST(upper(trim(%[1]s, '\"')) AS TIMESTAMPTZ) END", text, literal(rfc3339))
	}
	return fmt.Sprintf("CASE WHEN starts_with(%[1]s, '\"') THEN json_extract_string(%[1]s, '$') END", text)
}

// sameType reports whether two sources are the same events.
func sameType(a, b spec.Source) bool { return a.Stream == b.Stream && a.Type == b.Type }
