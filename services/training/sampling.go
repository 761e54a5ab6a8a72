package training

import (
	"regexp"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// Sampling functions, and the member with each one's options.
func samplings() map[string]string {
	return map[string]string{
		"DATE_RANGE": "date_range_sampling", "RANDOM": "random_sampling", "HASH": "hash_sampling", "STRATIFIED": "stratified_sampling",
	}
}

// span is a duration as the runner reads it: days, hours, minutes, seconds, in this order.
var span = regexp.MustCompile(`^([0-9]{1,6}d)?([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$`)

func checkSampling(fs *manifest.FaultList, data object, cols columns, date string) {
	holdout, ok := data.child(fs, "holdout_sampling")
	if !ok || holdout.members == nil {
		return
	}
	function := holdout.text(fs, "sampling_function")
	if !oneOf(fs, holdout.pointer("sampling_function"), function, []string{"DATE_RANGE", "RANDOM", "HASH", "STRATIFIED"}) {
		return
	}
	name := samplings()[function]
	holdout.known(fs, "sampling_function", name)
	options, ok := holdout.child(fs, name)
	if !ok {
		fs.Add(options.at, "is missing: %s needs its options", function)
		return
	}
	switch function {
	case "DATE_RANGE":
		checkDateRange(fs, options, cols, date)
	case "RANDOM":
		options.known(fs, "fraction", "seed")
		checkFraction(fs, options)
	case "HASH":
		options.known(fs, "fraction", "column", "salt")
		checkFraction(fs, options)
		checkColumn(fs, options, cols)
		options.text(fs, "salt")
	case "STRATIFIED":
		options.known(fs, "fraction", "column", "seed")
		checkFraction(fs, options)
		checkColumn(fs, options, cols)
	}
}

func checkDateRange(fs *manifest.FaultList, options object, cols columns, date string) {
	options.known(fs, "date_column", "start_date", "end_date", "last")
	column := options.text(fs, "date_column")
	cols.want(fs, options.pointer("date_column"), column)
	fs.Check(column != "" || date != "", options.pointer("date_column"), "is missing, and so is data.date_column")
	start, hasStart := checkDate(fs, options, "start_date")
	end, hasEnd := checkDate(fs, options, "end_date")
	fs.Check(!hasStart || !hasEnd || start.Before(end), options.pointer("end_date"), "is not after start_date")
	last := options.text(fs, "last")
	switch {
	case last != "":
		fs.Check(span.MatchString(last) && strings.ContainsAny(last, "123456789"), options.pointer("last"),
			"%.100q: want a duration such as 7d or 36h", last)
		fs.Check(!options.has("start_date") && !options.has("end_date"), options.pointer("last"), "excludes start_date and end_date")
	default:
		fs.Check(options.has("start_date") || options.has("end_date"), options.at, "want start_date, end_date or last")
	}
}

// checkDate reads a date, or an instant of RFC 3339.
func checkDate(fs *manifest.FaultList, o object, name string) (time.Time, bool) {
	text := o.text(fs, name)
	if text == "" {
		fs.Check(!o.has(name) || kind(o.members[name]) != "a string", o.pointer(name), "is empty")
		return time.Time{}, false
	}
	for _, form := range []string{time.DateOnly, time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(form, text); err == nil {
			return t, true
		}
	}
	fs.Add(o.pointer(name), "%.100q: want a date such as 2018-10-01 or 2018-10-01T00:00:00Z", text)
	return time.Time{}, false
}

func checkFraction(fs *manifest.FaultList, options object) {
	f := member[float64](fs, options, "fraction", "a number")
	fs.Check(f > 0 && f < 1, options.pointer("fraction"), "want a number between 0 and 1")
	if options.has("seed") {
		fs.Check(member[int64](fs, options, "seed", "an integer") >= 0, options.pointer("seed"), "is negative")
	}
}

func checkColumn(fs *manifest.FaultList, options object, cols columns) {
	name := options.text(fs, "column")
	fs.Check(name != "", options.pointer("column"), "is missing")
	cols.want(fs, options.pointer("column"), name)
}
