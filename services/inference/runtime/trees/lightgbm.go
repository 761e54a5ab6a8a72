package trees

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/signalbox-ml/signalbox/services/inference/runtime"
)

// imported is a model file, read and checked.
type imported struct {
	forest *forest
	names  []string // of the features
	// categories are those of the training frame's categorical columns in order; nil where it had none.
	categories [][]string
}

// readLightGBM reads LightGBM's text format, version 3 and 4. The library writes doubles with 17 digits and reads them
// back exactly, so the file is the model to the last bit.
func readLightGBM(file []byte) (imported, error) {
	r := &lines{rest: file}
	head := r.section("")
	if head.first != "tree" {
		return imported{}, fmt.Errorf("starts with %q, want tree: %w", clip(head.first), runtime.ErrUnsupported)
	}
	m, b, err := readHeader(head)
	if err != nil {
		return imported{}, err
	}
	for {
		s := r.section("end of trees")
		if s.first == "end of trees" {
			break
		}
		if !strings.HasPrefix(s.first, "Tree=") {
			return imported{}, fmt.Errorf("want a tree or the end of trees, got %q: %w", clip(s.first), errMalformed)
		}
		if err := readTree(b, s); err != nil {
			return imported{}, fmt.Errorf("%s: %w", clip(s.first), err)
		}
	}
	if n := len(head.fields["tree_sizes"]); n > 0 && bytes.Count(head.fields["tree_sizes"], []byte(" "))+1 != len(b.trees) {
		return imported{}, fmt.Errorf("%d trees are not those of tree_sizes: %w", len(b.trees), errMalformed)
	}
	if len(b.trees) == 0 || len(b.trees)%b.classes != 0 {
		return imported{}, fmt.Errorf("%d trees for %d classes: %w", len(b.trees), b.classes, errMalformed)
	}
	if m.categories, err = pandasCategories(r.rest); err != nil {
		return imported{}, err
	}
	m.forest = &b.forest
	if _, average := head.fields["average_output"]; average {
		m.forest.finish = averaged(len(b.trees)/b.classes, m.forest.finish)
	}
	return m, nil
}

func readHeader(s section) (imported, *builder, error) {
	if v := string(s.fields["version"]); v != "v3" && v != "v4" {
		return imported{}, nil, fmt.Errorf("format %q, want v3 or v4: %w", clip(v), runtime.ErrUnsupported)
	}
	var m imported
	b := &builder{}
	last, err := s.integer("max_feature_idx")
	if err != nil {
		return m, nil, err
	}
	if last < 0 || last >= math.MaxUint16 {
		return m, nil, fmt.Errorf("%d features: %w", last+1, runtime.ErrUnsupported)
	}
	m.names = strings.Fields(string(s.fields["feature_names"]))
	if len(m.names) != last+1 {
		return m, nil, fmt.Errorf("%d feature names for %d features: %w", len(m.names), last+1, errMalformed)
	}
	if b.classes, err = s.integer("num_tree_per_iteration"); err != nil {
		return m, nil, err
	}
	if b.classes < 1 || b.classes > maxClasses {
		return m, nil, fmt.Errorf("%d classes, want 1 to %d: %w", b.classes, maxClasses, runtime.ErrUnsupported)
	}
	b.features, b.base = last+1, make([]float64, b.classes)
	b.finish, err = lightgbmObjective(string(s.fields["objective"]), b.classes)
	return m, b, err
}

// readTree adds one tree to b.
func readTree(b *builder, s section) error {
	if v, ok := s.fields["is_linear"]; ok && string(v) != "0" {
		return fmt.Errorf("linear trees: %w", runtime.ErrUnsupported)
	}
	leaves, err := s.integer("num_leaves")
	if err != nil {
		return err
	}
	values, err := s.floats("leaf_value")
	if err != nil {
		return err
	}
	if leaves < 1 || len(values) != leaves {
		return fmt.Errorf("%d values for %d leaves: %w", len(values), leaves, errMalformed)
	}
	splits, err := readSplits(b, s, leaves-1)
	if err != nil {
		return err
	}
	return b.addTree(splits, values)
}

func readSplits(b *builder, s section, n int) ([]split, error) {
	if n == 0 {
		return nil, nil
	}
	var columns [4][]int
	for i, key := range [...]string{"split_feature", "decision_type", "left_child", "right_child"} {
		var err error
		if columns[i], err = s.integers(key, n); err != nil {
			return nil, err
		}
	}
	thresholds, err := s.floats("threshold")
	if err != nil {
		return nil, err
	}
	if len(thresholds) != n {
		return nil, fmt.Errorf("%d thresholds for %d splits: %w", len(thresholds), n, errMalformed)
	}
	sets, err := readSets(s)
	if err != nil {
		return nil, err
	}
	out := make([]split, n)
	for i := range out {
		if f := columns[0][i]; f < 0 || f >= b.features {
			return nil, fmt.Errorf("split on feature %d of %d: %w", f, b.features, errMalformed)
		}
		out[i].children = [2]int{columns[2][i], columns[3][i]}
		out[i].feature = uint16(columns[0][i])
		if err := decide(b, &out[i].node, columns[1][i], thresholds[i], sets); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Bits of LightGBM's decision_type.
const (
	bitCategorical = 1
	bitDefaultLeft = 2
	shiftMissing   = 2
	missingNone    = 0
	missingZero    = 1
	missingNaN     = 2
)

// decide fills in how a node decides.
func decide(b *builder, n *node, decision int, threshold float64, sets [][]uint64) error {
	if decision < 0 || decision > 15 || decision>>shiftMissing > missingNaN {
		return fmt.Errorf("decision type %d: %w", decision, runtime.ErrUnsupported)
	}
	if decision&bitCategorical != 0 {
		if !(threshold >= 0 && threshold < float64(len(sets))) {
			return fmt.Errorf("categorical split %v of %d: %w", threshold, len(sets), errMalformed)
		}
		set := sets[int(threshold)]
		n.kind, n.threshold = categorical, setPlace(len(b.sets), len(set))
		b.sets = append(append(b.sets, set...), 0)
		return nil
	}
	left := decision&bitDefaultLeft != 0
	switch decision >> shiftMissing {
	case missingNone: // a gap is a zero
		left = 0 <= threshold
	case missingZero:
		n.kind = zeroMissing
	}
	if left {
		n.nanLeft = 1
	}
	n.threshold = aroundZero(threshold)
	return nil
}

// aroundZero moves a threshold so close to zero that LightGBM cannot tell: before it predicts it sets every value
// within 1e-35 to zero, and this has the same effect without touching the row.
func aroundZero(t float64) float64 {
	switch {
	case t >= 0 && t < zero:
		return zero
	case t < 0 && t >= -zero:
		return math.Nextafter(-zero, math.Inf(-1))
	}
	return t
}

// readSets returns the bitsets of a tree, in 64-bit words.
func readSets(s section) ([][]uint64, error) {
	n, err := s.integer("num_cat")
	if err != nil || n == 0 {
		return nil, err
	}
	bounds, err := s.integers("cat_boundaries", n+1)
	if err != nil {
		return nil, err
	}
	words, err := s.integers("cat_threshold", bounds[n])
	if err != nil {
		return nil, err
	}
	sets := make([][]uint64, n)
	for i := range sets {
		from, to := bounds[i], bounds[i+1]
		if from < 0 || to < from || to > len(words) {
			return nil, fmt.Errorf("category boundaries %d to %d of %d: %w", from, to, len(words), errMalformed)
		}
		sets[i] = make([]uint64, (to-from+1)/2)
		for k, w := range words[from:to] {
			if w < 0 || w > math.MaxUint32 {
				return nil, fmt.Errorf("category word %d: %w", w, errMalformed)
			}
			sets[i][k/2] |= uint64(w) << (k % 2 * 32)
		}
	}
	return sets, nil
}

// pandasCategories reads the line that the Python package adds for frames: the categories that stand behind the codes.
func pandasCategories(tail []byte) ([][]string, error) {
	const key = "pandas_categorical:"
	_, line, ok := bytes.Cut(tail, []byte("\n"+key))
	if !ok {
		return nil, nil
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	if string(bytes.TrimSpace(line)) == "null" {
		return nil, nil
	}
	var out [][]string
	if err := json.Unmarshal(line, &out); err != nil {
		return nil, fmt.Errorf("categories of the training frame are not lists of strings: %w", runtime.ErrUnsupported)
	}
	return out, nil
}
