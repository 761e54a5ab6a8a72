package trees

import (
	"errors"
	"fmt"
	"math"

	"github.com/signalbox-ml/signalbox/services/inference/runtime"
)

// errMalformed reports a model file that contradicts itself.
var errMalformed = errors.New("malformed model")

const (
	maxNodes = math.MaxInt32 / 2
	maxDepth = 4096
)

// split is a node as an importer found it. A child at or above 0 is another split, below 0 the leaf ^child.
type split struct {
	node
	children [2]int
}

// builder collects the trees of a forest.
type builder struct {
	forest
	// slots is scratch: what stands at each node of the tree being added.
	slots []slot
}

type slot struct{ child, depth int }

// addTree checks a tree and appends it with its nodes in breadth-first order, each pair of children adjacent. Every
// split and every leaf must hang in the tree exactly once: a file can claim anything.
func (b *builder) addTree(splits []split, leaves []float64) error {
	if len(leaves) != len(splits)+1 {
		return fmt.Errorf("%d splits need %d leaves, not %d: %w", len(splits), len(splits)+1, len(leaves), errMalformed)
	}
	root := len(b.nodes)
	if len(splits)+len(leaves) > maxNodes-root {
		return fmt.Errorf("more than %d nodes: %w", maxNodes, runtime.ErrUnsupported)
	}
	t := tree{root: int32(root), safe: maxDepth}
	seen := make([]bool, len(splits)+len(leaves))
	first := 0
	if len(splits) == 0 {
		first = -1
	}
	b.slots = append(b.slots[:0], slot{child: first})
	for i := 0; i < len(b.slots); i++ {
		s := b.slots[i]
		if s.depth > maxDepth {
			return fmt.Errorf("deeper than %d: %w", maxDepth, runtime.ErrUnsupported)
		}
		if err := mark(seen, s.child, len(splits)); err != nil {
			return err
		}
		if s.child < 0 {
			t.safe = min(t.safe, s.depth)
			if err := b.addLeaf(leaves[^s.child], root+i); err != nil {
				return err
			}
			continue
		}
		n := splits[s.child].node
		if err := b.checkSplit(n); err != nil {
			return err
		}
		t.kind = max(t.kind, n.kind)
		n.left = int32(root + len(b.slots))
		b.nodes, b.values = append(b.nodes, n), append(b.values, 0)
		for _, c := range splits[s.child].children {
			b.slots = append(b.slots, slot{child: c, depth: s.depth + 1})
		}
	}
	if len(b.slots) != len(seen) {
		return fmt.Errorf("%d of %d nodes hang in no tree: %w", len(seen)-len(b.slots), len(seen), errMalformed)
	}
	b.trees = append(b.trees, t)
	return nil
}

// mark notes that child hangs in the tree.
func mark(seen []bool, child, splits int) error {
	at := child
	if child < 0 {
		at = splits + ^child
	}
	if at < 0 || at >= len(seen) || child >= splits {
		return fmt.Errorf("child %d is no node: %w", child, errMalformed)
	}
	if seen[at] {
		return fmt.Errorf("child %d hangs in the tree twice: %w", child, errMalformed)
	}
	seen[at] = true
	return nil
}

func (b *builder) addLeaf(value float64, at int) error {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return fmt.Errorf("leaf value %v: %w", value, runtime.ErrUnsupported)
	}
	b.nodes = append(b.nodes, node{threshold: math.Inf(1), left: int32(at), nanLeft: 1})
	b.values = append(b.values, value)
	return nil
}

func (b *builder) checkSplit(n node) error {
	if int(n.feature) >= b.features {
		return fmt.Errorf("split on feature %d of %d: %w", n.feature, b.features, errMalformed)
	}
	if n.kind != categorical && math.IsNaN(n.threshold) {
		return fmt.Errorf("threshold is not a number: %w", errMalformed)
	}
	return nil
}
