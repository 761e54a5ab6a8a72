package compile

import (
	"fmt"
	"strings"

	"github.com/signalbox-ml/signalbox/registry/spec"
)

// feature finds for each row of the spine what was the newest at its time.
func (c *compiler) feature(i int, f spec.Join) string {
	// The spine event must not be its own feature, nor the label's event a feature of the row that it labels. Both
	// happen at or after the row's time; so what could be one of them must have happened a microsecond before it.
	before := 0
	from := c.d.Sources[f.From]
	if sameType(from, c.d.Sources[c.d.Spine.From]) || sameType(from, c.d.Sources[c.d.Label.From]) {
		before = 1
	}
	young := "matched"
	if f.MaxAge > 0 {
		young = fmt.Sprintf("(SELECT * FROM matched WHERE epoch_us(spine_time) - epoch_us(event_time) <= %d)", f.MaxAge.D().Microseconds())
	}
	return fmt.Sprintf(`CREATE TEMP TABLE %s AS
WITH candidates AS (
  SELECT *, greatest(epoch_us(available_time), epoch_us(event_time) + %d) AS "#visible"
  FROM %s
  WHERE true%s
), newest AS (
  SELECT *
  FROM candidates
  WINDOW entity AS (PARTITION BY %s ORDER BY "#visible", event_time, available_time, "#partition", "#offset")
  QUALIFY event_time >= coalesce(max(event_time) OVER (entity ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), event_time)
    AND lead("#visible") OVER entity IS DISTINCT FROM "#visible"
), matched AS (
  SELECT f.*, s."#row", s.event_time AS spine_time,
    epoch_us(greatest(f.event_time, f.available_time)) - epoch_us(s.event_time) AS "#lead"
  FROM "spine" s ASOF JOIN newest f ON %s AND epoch_us(s.event_time) >= f."#visible"
)
SELECT "#row", "#lead"%s
FROM %s`, featureTable(i), before, sourceTable(f.From), and(f.Where), keys(f.Match), on("s", "f", f.Match), selects(f.Select), young)
}

// label finds for each row of the spine the first that came true, if it was known in time.
func (c *compiler) label(l spec.Join) string {
	after := "<="
	if sameType(c.d.Sources[l.From], c.d.Sources[c.d.Spine.From]) {
		after = "<"
	}
	intime := fmt.Sprintf("epoch_us(available_time) - epoch_us(spine_time) <= %d", l.Maturity.D().Microseconds())
	return fmt.Sprintf(`CREATE TEMP TABLE "label" AS
WITH candidates AS (
  SELECT *
  FROM %[1]s
  WHERE true%[2]s
), distinct_times AS (
  SELECT *
  FROM candidates
  QUALIFY row_number() OVER (PARTITION BY %[3]s, event_time ORDER BY available_time, "#partition", "#offset") = 1
), first_by_time AS (
  SELECT l.*, s."#row", s.event_time AS spine_time
  FROM "spine" s ASOF JOIN distinct_times l ON %[4]s AND s.event_time %[5]s l.event_time
), next_in_time AS (
  SELECT l.*, s."#row", s.spine_time
  FROM (SELECT * FROM first_by_time WHERE NOT (%[6]s)) s JOIN candidates l ON %[7]s AND s.spine_time %[5]s l.event_time
  WHERE epoch_us(l.available_time) - epoch_us(s.spine_time) <= %[8]d
  QUALIFY row_number() OVER (PARTITION BY s."#row" ORDER BY l.event_time, l.available_time, l."#partition", l."#offset") = 1
)
SELECT "#row"%[9]s
FROM (
  SELECT * FROM first_by_time WHERE %[6]s
  UNION ALL BY NAME
  SELECT * FROM next_in_time
)`, sourceTable(l.From), and(l.Where), keys(l.Match), on("s", "l", l.Match), after, intime,
		same("s", "l", l.Match), l.Maturity.D().Microseconds(), selects(l.Select))
}

// on matches fields of the right side with columns of the spine.
func on(spine, right string, match map[string]string) string {
	var conds []string
	for _, field := range sorted(match) {
		conds = append(conds, fmt.Sprintf("%s.%s = %s.%s", spine, quote(match[field]), right, quote(field)))
	}
	return strings.Join(conds, " AND ")
}

// same matches two rows of one source.
func same(a, b string, match map[string]string) string {
	var conds []string
	for _, field := range sorted(match) {
		conds = append(conds, fmt.Sprintf("%s.%s = %s.%s", a, quote(field), b, quote(field)))
	}
	return strings.Join(conds, " AND ")
}

func keys(match map[string]string) string {
	var out []string
	for _, field := range sorted(match) {
		out = append(out, quote(field))
	}
	return strings.Join(out, ", ")
}
