package manifest

import (
	"slices"
	"strconv"
)

// Column types. Timestamp is for columns of datasets only: no model takes it.
const (
	Number    = "number"
	Integer   = "integer"
	Boolean   = "boolean"
	String    = "string"
	Timestamp = "timestamp"
)

// Kinds of runtime.
const (
	RuntimeTrees  = "trees"  // native engine
	RuntimePython = "python" // isolated worker process; the package holds code
)

// Formats of models.
const (
	FormatLightGBM = "lightgbm-text"
	FormatXGBoost  = "xgboost-json"
	FormatPickle   = "python-pickle"
)

// MaxSignature is the size of the largest signature.json, in bytes.
const MaxSignature = 1 << 20

// Column is one input or output of a model, or one column of a dataset.
type Column struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Nullable bool   `json:"nullable"`
	// Categories are the known values of a string column, in the order of their codes.
	Categories []string `json:"categories,omitempty"`
}

// Signature is the file signature.json of a package: what goes in, what comes out, and which engine computes it.
type Signature struct {
	Runtime string `json:"runtime"`
	// Format is the engine's input: lightgbm-text, xgboost-json, or python-pickle.
	Format  string   `json:"format"`
	Model   string   `json:"model"` // file of the package that holds the model
	Inputs  []Column `json:"inputs"`
	Outputs []Column `json:"outputs"`
	// Golden is the file with sample rows and the outputs that training computed for them, one JSON object a line:
	// {"input": {...}, "output": {...}}. A server must reproduce them within Tolerance before it serves the package.
	Golden    string  `json:"golden"`
	Tolerance float64 `json:"tolerance"`
}

// Input returns the place of an input column, or false.
func (s Signature) Input(name string) (int, bool) { return find(s.Inputs, name) }

// Output returns the place of an output column, or false. The empty name is the first output.
func (s Signature) Output(name string) (int, bool) {
	if name == "" && len(s.Outputs) > 0 {
		return 0, true
	}
	return find(s.Outputs, name)
}

func find(cols []Column, name string) (int, bool) {
	i := slices.IndexFunc(cols, func(c Column) bool { return c.Name == name })
	return i, i >= 0
}

// DecodeSignature reads and validates a signature.json. Errors are ErrInvalid.
func DecodeSignature(b []byte) (Signature, error) {
	var s Signature
	if err := Decode(b, MaxSignature, &s); err != nil {
		return Signature{}, err
	}
	return s, s.Validate()
}

// Validate lists everything that is wrong with s. Errors are ErrInvalid.
func (s Signature) Validate() error {
	var fs FaultList
	switch s.Runtime {
	case RuntimeTrees:
		fs.Check(s.Format == FormatLightGBM || s.Format == FormatXGBoost, "/format",
			"%.100q: the trees runtime takes %s and %s", s.Format, FormatLightGBM, FormatXGBoost)
	case RuntimePython:
		fs.Check(s.Format == FormatPickle, "/format", "%.100q: the python runtime takes %s", s.Format, FormatPickle)
	default:
		fs.Add("/runtime", "%.100q: want %s or %s", s.Runtime, RuntimeTrees, RuntimePython)
	}
	checkFile(&fs, "/model", s.Model)
	checkFile(&fs, "/golden", s.Golden)
	fs.Check(s.Model != s.Golden, "/golden", "is the same file as the model")
	fs.Check(s.Tolerance >= 0 && finite(s.Tolerance), "/tolerance", "want a number that is not negative")
	fs.Check(len(s.Inputs) > 0, "/inputs", "want at least one")
	fs.Check(len(s.Outputs) > 0, "/outputs", "want at least one")
	checkColumns(&fs, "/inputs", s.Inputs, false)
	checkColumns(&fs, "/outputs", s.Outputs, false)
	return fs.Join()
}

// CheckFiles checks that p has the files that s names. Errors are ErrInvalid.
func (s Signature) CheckFiles(p Package) error {
	var fs FaultList
	_, ok := p.Layer(s.Model)
	fs.Check(ok, "/model", "the package has no file %q", s.Model)
	_, ok = p.Layer(s.Golden)
	fs.Check(ok, "/golden", "the package has no file %q", s.Golden)
	return fs.Join()
}

func checkFile(fs *FaultList, at, file string) {
	if err := CheckPath(file); err != nil {
		fs.Add(at, "%v", err)
	}
	fs.Check(file != SignatureFile, at, "cannot be %s itself", SignatureFile)
}

func checkColumns(fs *FaultList, at string, cols []Column, timestamps bool) {
	names := map[string]bool{}
	for i, c := range cols {
		at := at + "/" + strconv.Itoa(i)
		fs.Check(c.Name != "" && len(c.Name) <= 256, at+"/name", "want 1 to 256 bytes")
		fs.Check(!names[c.Name], at+"/name", "%.256q is there twice", c.Name)
		names[c.Name] = true
		switch c.Type {
		case Number, Integer, Boolean, String:
		case Timestamp:
			fs.Check(timestamps, at+"/type", "no model takes or gives a timestamp")
		default:
			fs.Add(at+"/type", "%.100q: want number, integer, boolean or string", c.Type)
		}
		fs.Check(len(c.Categories) == 0 || c.Type == String, at+"/categories", "only a string column has categories")
		values := map[string]bool{}
		for j, v := range c.Categories {
			fs.Check(!values[v], at+"/categories/"+strconv.Itoa(j), "%.100q is there twice", v)
			values[v] = true
		}
	}
}
