package trees

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/services/inference/runtime"
)

// xgbFile is XGBoost's JSON model, as far as a prediction needs it.
type xgbFile struct {
	Learner struct {
		FeatureNames []string `json:"feature_names"`
		Params       struct {
			BaseScore string `json:"base_score"`
			Classes   string `json:"num_class"`
			Features  string `json:"num_feature"`
			Targets   string `json:"num_target"`
		} `json:"learner_model_param"`
		Objective struct {
			Name string `json:"name"`
		} `json:"objective"`
		Booster struct {
			Name  string `json:"name"`
			Model struct {
				TreeInfo []int     `json:"tree_info"`
				Trees    []xgbTree `json:"trees"`
			} `json:"model"`
		} `json:"gradient_booster"`
	} `json:"learner"`
}

type xgbTree struct {
	Left        []int     `json:"left_children"`
	Right       []int     `json:"right_children"`
	Features    []int     `json:"split_indices"`
	Conditions  []float32 `json:"split_conditions"` // of leaves: their values
	DefaultLeft []int     `json:"default_left"`
	Types       []int     `json:"split_type"`
	Params      struct {
		Leaf string `json:"size_leaf_vector"`
	} `json:"tree_param"`
}

// readXGBoost reads XGBoost's JSON format. Its sums are float32 and start with the base score.
func readXGBoost(file []byte) (imported, error) {
	var doc xgbFile
	if err := json.Unmarshal(file, &doc); err != nil {
		return imported{}, fmt.Errorf("%w: %w", errMalformed, err)
	}
	l := &doc.Learner
	if l.Booster.Name != "gbtree" {
		return imported{}, fmt.Errorf("booster %q, want gbtree: %w", clip(l.Booster.Name), runtime.ErrUnsupported)
	}
	b := &builder{forest: forest{single: true}}
	features, err := strconv.ParseUint(l.Params.Features, 10, 16)
	if err != nil || features == 0 {
		return imported{}, fmt.Errorf("num_feature %q: %w", clip(l.Params.Features), runtime.ErrUnsupported)
	}
	b.features = int(features)
	if n := len(l.FeatureNames); n != 0 && n != b.features {
		return imported{}, fmt.Errorf("%d names for %d features: %w", n, b.features, errMalformed)
	}
	if err := xgbOutputs(b, &doc); err != nil {
		return imported{}, err
	}
	for i := range l.Booster.Model.Trees {
		if err := readXGBTree(b, &l.Booster.Model.Trees[i]); err != nil {
			return imported{}, fmt.Errorf("tree %d: %w", i, err)
		}
	}
	return imported{forest: &b.forest, names: l.FeatureNames}, nil
}

// xgbOutputs reads how many classes there are, where their sums start and what becomes of them.
func xgbOutputs(b *builder, doc *xgbFile) error {
	l := &doc.Learner
	classes, err := strconv.ParseUint(l.Params.Classes, 10, 16)
	if err != nil || classes > maxClasses || l.Params.Targets != "" && l.Params.Targets != "0" && l.Params.Targets != "1" {
		return fmt.Errorf("num_class %q, num_target %q: %w", clip(l.Params.Classes), clip(l.Params.Targets), runtime.ErrUnsupported)
	}
	b.classes = max(1, int(classes))
	finish, margin, err := xgboostObjective(l.Objective.Name)
	if err != nil {
		return err
	}
	if multi := l.Objective.Name == "multi:softprob"; multi != (classes > 1) {
		return fmt.Errorf("objective %q with %d classes: %w", clip(l.Objective.Name), classes, runtime.ErrUnsupported)
	}
	b.finish = finish
	// "[2.7E-1]" since version 3.1, "2.7E-1" before; one value stands for every class.
	words := strings.Split(strings.Trim(l.Params.BaseScore, "[]"), ",")
	if len(words) != 1 && len(words) != b.classes {
		return fmt.Errorf("%d base scores for %d classes: %w", len(words), b.classes, errMalformed)
	}
	for c := range b.classes {
		v, err := strconv.ParseFloat(words[min(c, len(words)-1)], 32)
		if err != nil {
			return fmt.Errorf("base score %q: %w", clip(l.Params.BaseScore), errMalformed)
		}
		b.base = append(b.base, float64(margin(float32(v))))
	}
	trees := l.Booster.Model
	if len(trees.Trees) == 0 || len(trees.Trees) != len(trees.TreeInfo) || len(trees.Trees)%b.classes != 0 {
		return fmt.Errorf("%d trees, %d classes of trees: %w", len(trees.Trees), len(trees.TreeInfo), errMalformed)
	}
	for i, class := range trees.TreeInfo {
		if class != i%b.classes { // several trees an iteration
			return fmt.Errorf("tree %d belongs to class %d: %w", i, class, runtime.ErrUnsupported)
		}
	}
	return nil
}

// readXGBTree adds one tree to b. XGBoost numbers splits and leaves together.
func readXGBTree(b *builder, t *xgbTree) error {
	n := len(t.Left)
	if n == 0 || len(t.Right) != n || len(t.Features) != n || len(t.Conditions) != n || len(t.DefaultLeft) != n {
		return fmt.Errorf("columns of different length: %w", errMalformed)
	}
	if t.Params.Leaf != "" && t.Params.Leaf != "0" && t.Params.Leaf != "1" {
		return fmt.Errorf("leaves are vectors: %w", runtime.ErrUnsupported)
	}
	for _, kind := range t.Types {
		if kind != 0 {
			return fmt.Errorf("categorical splits: %w", runtime.ErrUnsupported)
		}
	}
	place, splits, leaves, err := t.reach()
	if err != nil {
		return err
	}
	out, values := make([]split, 0, splits), make([]float64, 0, leaves)
	for i, left := range t.Left {
		if place[i] == unreached {
			continue
		}
		if left == -1 {
			values = append(values, float64(t.Conditions[i]))
			continue
		}
		if t.Features[i] < 0 || t.Features[i] >= b.features {
			return fmt.Errorf("split on feature %d of %d: %w", t.Features[i], b.features, errMalformed)
		}
		s := split{children: [2]int{place[left], place[t.Right[i]]}}
		s.threshold, s.feature = below32(t.Conditions[i]), uint16(t.Features[i])
		if t.DefaultLeft[i] != 0 {
			s.nanLeft = 1
		}
		out = append(out, s)
	}
	return b.addTree(out, values)
}

const unreached = math.MinInt

// reach numbers the splits and leaves that hang in the tree, in the order of the file: place is a split's number or ^
// a leaf's. Pruning leaves nodes behind that hang nowhere; they are left out.
func (t *xgbTree) reach() (place []int, splits, leaves int, err error) {
	n := len(t.Left)
	place = make([]int, n)
	for i := range place {
		place[i] = unreached
	}
	place[0] = 0
	for todo := []int{0}; len(todo) > 0; {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if t.Left[i] == -1 {
			continue
		}
		for _, c := range [2]int{t.Left[i], t.Right[i]} {
			if c < 0 || c >= n || place[c] != unreached {
				return nil, 0, 0, fmt.Errorf("child %d of node %d: %w", c, i, errMalformed)
			}
			place[c] = 0
			todo = append(todo, c)
		}
	}
	for i := range place {
		switch {
		case place[i] == unreached:
		case t.Left[i] == -1:
			place[i] = ^leaves
			leaves++
		default:
			place[i] = splits
			splits++
		}
	}
	return place, splits, leaves, nil
}

// below32 returns the greatest double that rounds to a float32 below t: XGBoost rounds a value to float32 and sends it
// left where it is below t, and comparing the unrounded value with this is the same.
func below32(t float32) float64 {
	prev := math.Nextafter32(t, float32(math.Inf(-1)))
	if math.IsInf(float64(prev), 0) || math.IsInf(float64(t), 0) {
		return math.NaN() // refused when the tree is added
	}
	half := (float64(prev) + float64(t)) / 2 // exact in a double
	if math.Float32bits(prev)&1 == 0 {
		return half // a tie goes to the even one, which is below t
	}
	return math.Nextafter(half, math.Inf(-1))
}
