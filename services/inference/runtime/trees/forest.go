package trees

import "math"

// node is 16 bytes, so that four share a cache line. Children are adjacent: the right one is left+1. A leaf points to
// itself and no value moves it to the right, so a walk may step on a leaf as often as it likes.
type node struct {
	// threshold sends values at or below it to the left. A categorical node has the place of its set instead.
	threshold float64
	left      int32
	feature   uint16
	// nanLeft is 1 where a missing value goes left.
	nanLeft uint8
	kind    uint8
}

// Kinds of nodes. Everything but numeric takes the slower step.
const (
	numeric     = iota
	categorical // in the set: left; unknown, negative or missing: right
	zeroMissing // as numeric, but zero counts as missing
)

// zero is how LightGBM spells "about zero": the float32 nearest to 1e-35.
const zero = float64(float32(1e-35))

// tree is one tree of a forest.
type tree struct {
	root int32
	// kind is the greatest kind of its nodes.
	kind uint8
	// safe is the depth of the leaf nearest to the root.
	safe int
}

// forest is a sum of trees for each class, and what becomes of the sums.
type forest struct {
	nodes  []node
	values []float64 // of leaves, by node
	sets   []uint64  // bitsets of categorical nodes
	trees  []tree    // tree i belongs to class i % classes
	// features is the width of a row. Every node's feature is below it.
	features int
	classes  int
	// base is where the sum of each class starts.
	base []float64
	// single rounds every sum to float32, as XGBoost adds.
	single bool
	finish func(out []float64)
}

// right is 1 where v goes to the right child of n, else 0.
func (n *node) right(v float64) int32 {
	var past, gap int32
	if !(v <= n.threshold) { // true for NaN, too
		past = 1
	}
	if v != v {
		gap = int32(n.nanLeft)
	}
	return past &^ gap
}

// step returns where v leads from n: it knows every kind of node.
func (f *forest) step(n *node, v float64) int32 {
	if n.kind == categorical {
		return n.left + 1 - f.member(n, v)
	}
	if n.kind == zeroMissing && v >= -zero && v <= zero {
		v = math.NaN()
	}
	return n.left + n.right(v)
}

// member is 1 where the category v is in the set of n. LightGBM truncates towards zero, so -0.5 is category 0; what
// does not fit an int32 is negative there and so in no set.
func (f *forest) member(n *node, v float64) int32 {
	if !(v > -1 && v < 1<<31) {
		return 0
	}
	place, c := math.Float64bits(n.threshold), uint32(int32(v))
	// The word after a set is empty, for the categories that it does not reach.
	word := f.sets[uint32(place)+min(c>>6, uint32(place>>32))]
	return int32(word >> (c & 63) & 1)
}

// setPlace is what a categorical node keeps instead of a threshold.
func setPlace(from, words int) float64 {
	return math.Float64frombits(uint64(words)<<32 | uint64(uint32(from)))
}

// add returns sum + v as the library that trained the model would round it.
func (f *forest) add(sum, v float64) float64 {
	if f.single {
		return float64(float32(sum + v)) // exact: 53 bits hold the sum of two float32 well enough to round once more
	}
	return sum + v
}
