package training

import (
	"slices"
	"strings"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// predicates and the forms of value that they take.
const (
	noValue = iota
	oneValue
	manyValues
)

func predicates() map[string]int {
	return map[string]int{
		"Eq": oneValue, "NotEq": oneValue, "Gt": oneValue, "GtEq": oneValue, "Lt": oneValue, "LtEq": oneValue,
		"IsIn": manyValues, "NotIn": manyValues, "IsNull": noValue, "NotNull": noValue,
	}
}

func predicateNames() []string {
	return []string{"Eq", "NotEq", "Gt", "GtEq", "Lt", "LtEq", "IsIn", "NotIn", "IsNull", "NotNull"}
}

func checkFilters(fs *manifest.FaultList, data object, cols columns) {
	for _, f := range data.children(fs, "filters", maxFilters) {
		if f.members == nil {
			continue
		}
		f.known(fs, "feature_name", "predicate", "feature_value")
		name := f.text(fs, "feature_name")
		fs.Check(name != "", f.pointer("feature_name"), "is missing")
		cols.want(fs, f.pointer("feature_name"), name)
		predicate := f.text(fs, "predicate")
		if !oneOf(fs, f.pointer("predicate"), predicate, predicateNames()) {
			continue
		}
		value, there := f.child(fs, "feature_value")
		form := predicates()[predicate]
		fs.Check(there || form == noValue, value.at, "is missing: %s compares with something", predicate)
		if value.members != nil {
			checkValue(fs, value, predicate, form)
		}
	}
}

func featureValues() []string {
	return []string{"string_val", "float_val", "int_val", "bool_val", "date_val", "string_vals", "float_vals", "int_vals"}
}

// checkValue checks the typed union that a filter compares with.
func checkValue(fs *manifest.FaultList, value object, predicate string, form int) {
	value.known(fs, featureValues()...)
	given := 0
	for name := range value.members {
		if !value.has(name) || !slices.Contains(featureValues(), name) {
			continue
		}
		given++
		many := strings.HasSuffix(name, "_vals")
		fs.Check(form == noValue || many == (form == manyValues), value.pointer(name), "%s does not take %s", predicate, name)
		switch name {
		case "string_val":
			value.text(fs, name)
		case "float_val":
			member[float64](fs, value, name, "a number")
		case "int_val":
			member[int64](fs, value, name, "an integer")
		case "bool_val":
			member[bool](fs, value, name, "a boolean")
		case "date_val":
			checkDate(fs, value, name)
		case "string_vals":
			elements(fs, value, name, "a string", maxValues, func(at, v string) { short(fs, at, v) })
		case "float_vals":
			elements[float64](fs, value, name, "a number", maxValues, nil)
		case "int_vals":
			elements[int64](fs, value, name, "an integer", maxValues, nil)
		}
	}
	fs.Check(form == noValue || given == 1, value.at, "want exactly one value, got %d", given)
}
