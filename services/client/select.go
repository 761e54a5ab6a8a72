package client

// Predicate compares a feature.
type Predicate string

// The predicates. IsNull and NotNull take no value, IsIn and NotIn a list.
const (
	Eq      Predicate = "Eq"
	NotEq   Predicate = "NotEq"
	Gt      Predicate = "Gt"
	GtEq    Predicate = "GtEq"
	Lt      Predicate = "Lt"
	LtEq    Predicate = "LtEq"
	IsIn    Predicate = "IsIn"
	NotIn   Predicate = "NotIn"
	IsNull  Predicate = "IsNull"
	NotNull Predicate = "NotNull"
)

// Filter keeps the rows whose feature compares so.
type Filter struct {
	Feature   string    `json:"feature_name"`
	Predicate Predicate `json:"predicate"`
	Value     *Value    `json:"feature_value,omitempty"`
}

// Value is one value, or a list of values of one type. String, Number, Int, Bool, Date, Strings, Numbers and Ints make it.
type Value struct {
	String  *string   `json:"string_val,omitempty"`
	Number  *float64  `json:"float_val,omitempty"`
	Int     *int64    `json:"int_val,omitempty"`
	Bool    *bool     `json:"bool_val,omitempty"`
	Date    *string   `json:"date_val,omitempty"`
	Strings []string  `json:"string_vals,omitempty"`
	Numbers []float64 `json:"float_vals,omitempty"`
	Ints    []int64   `json:"int_vals,omitempty"`
}

// String is the value of a text.
func String(v string) *Value { return &Value{String: &v} }

// Number is the value of a number.
func Number(v float64) *Value { return &Value{Number: &v} }

// Int is the value of an integer.
func Int(v int64) *Value { return &Value{Int: &v} }

// Bool is the value of a truth.
func Bool(v bool) *Value { return &Value{Bool: &v} }

// Date is the value of a date such as 2018-10-01, or of a time of RFC 3339.
func Date(v string) *Value { return &Value{Date: &v} }

// Strings is a list for IsIn and NotIn.
func Strings(v ...string) *Value { return &Value{Strings: v} }

// Numbers is a list for IsIn and NotIn.
func Numbers(v ...float64) *Value { return &Value{Numbers: v} }

// Ints is a list for IsIn and NotIn.
func Ints(v ...int64) *Value { return &Value{Ints: v} }

// Sampling says which rows are held out. ByDate, AtRandom, ByHash and Stratified make it.
type Sampling struct {
	Function   string            `json:"sampling_function"`
	DateRange  *DateRange        `json:"date_range_sampling,omitempty"`
	Random     *RandomSample     `json:"random_sampling,omitempty"`
	Hash       *HashSample       `json:"hash_sampling,omitempty"`
	Stratified *StratifiedSample `json:"stratified_sampling,omitempty"`
}

// DateRange holds out the rows of a time: either Last, or Start, End or both.
type DateRange struct {
	DateColumn string `json:"date_column,omitempty"` // that of the data where it is empty
	Start      string `json:"start_date,omitempty"`  // a date such as 2018-10-01, or a time of RFC 3339
	End        string `json:"end_date,omitempty"`    // the first that is not held out
	Last       string `json:"last,omitempty"`        // such as 7d or 36h, before the newest row
}

// RandomSample holds out a share of the rows, between 0 and 1; the same ones for the same seed.
type RandomSample struct {
	Fraction float64 `json:"fraction"`
	Seed     int64   `json:"seed,omitempty"`
}

// HashSample holds out a share of the values of a column, so that rows of one key stay together and stay where they are.
type HashSample struct {
	Fraction float64 `json:"fraction"`
	Column   string  `json:"column"`
	Salt     string  `json:"salt,omitempty"`
}

// StratifiedSample holds out the same share of the rows of each value of a column.
type StratifiedSample struct {
	Fraction float64 `json:"fraction"`
	Column   string  `json:"column"`
	Seed     int64   `json:"seed,omitempty"`
}

// ByDate holds out a time.
func ByDate(r DateRange) *Sampling { return &Sampling{Function: "DATE_RANGE", DateRange: &r} }

// AtRandom holds out rows at random.
func AtRandom(s RandomSample) *Sampling { return &Sampling{Function: "RANDOM", Random: &s} }

// ByHash holds out keys.
func ByHash(s HashSample) *Sampling { return &Sampling{Function: "HASH", Hash: &s} }

// Stratified holds out a share of each value of a column.
func Stratified(s StratifiedSample) *Sampling {
	return &Sampling{Function: "STRATIFIED", Stratified: &s}
}
