package runtime

// Batch is a row-major table without names: the signature gives them. Inputs have the signature's input columns in
// order, outputs its output columns.
type Batch struct {
	Rows  int
	Width int // columns
	// Values are Rows x Width numbers: NaN is missing, booleans are 0 and 1, a string with declared categories is its
	// index, and one outside them is NaN.
	Values []float64
	// Text holds the columns of type string that declare no categories, Rows x Width, empty elsewhere; nil or empty where
	// the signature has none. Values is NaN in such a column, and a missing text is an empty one.
	Text []string
}

// Row returns the values of row i.
func (b Batch) Row(i int) []float64 { return b.Values[i*b.Width : (i+1)*b.Width] }
