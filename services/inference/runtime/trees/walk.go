package trees

// block is how many rows go through a tree before the next one: their inputs stay in the first-level cache.
const block = 64

// predict fills out (rows x classes) with the raw sums of the rows of in (rows x features). It allocates nothing.
//
// One step of a walk waits for a load, so four walks run side by side: four rows in the same tree, or four trees for
// the same row where there are fewer rows.
func (f *forest) predict(in, out []float64, rows int) {
	for rows >= 4 {
		n := min(block, rows&^3)
		f.block(in, out, n)
		in, out, rows = in[n*f.features:], out[n*f.classes:], rows-n
	}
	for range rows {
		f.row(in[:f.features:f.features], out[:f.classes:f.classes])
		in, out = in[f.features:], out[f.classes:]
	}
}

// block adds every tree to rows rows, a multiple of four. Trees are the outer loop, so each row's sum still grows in
// the order of the trees.
func (f *forest) block(in, out []float64, rows int) {
	for i := range rows {
		copy(out[i*f.classes:(i+1)*f.classes], f.base)
	}
	w, class := f.features, 0
	for _, t := range f.trees {
		for r := 0; r < rows; r += 4 {
			x := in[r*w : (r+4)*w]
			x0, x1, x2, x3 := x[:w:w], x[w:2*w:2*w], x[2*w:3*w:3*w], x[3*w:4*w:4*w]
			var at [4]int32
			if t.kind == numeric {
				at = f.rows4(t, x0, x1, x2, x3)
			} else {
				at = f.walk4([4]int32{t.root, t.root, t.root, t.root}, [4][]float64{x0, x1, x2, x3})
			}
			for k, leaf := range at {
				o := &out[(r+k)*f.classes+class]
				*o = f.add(*o, f.values[leaf])
			}
		}
		if class++; class == f.classes {
			class = 0
		}
	}
}

// row adds every tree to one row.
func (f *forest) row(x, out []float64) {
	copy(out, f.base)
	class := 0
	for trees := f.trees; len(trees) > 0; {
		n := min(4, len(trees))
		var at [4]int32
		if n == 4 && trees[0].kind|trees[1].kind|trees[2].kind|trees[3].kind == numeric {
			at = f.trees4(trees[:4:4], x)
		} else {
			last := n - 1 // the last trees of a forest: go down the last one more than once
			at = f.walk4([4]int32{trees[0].root, trees[min(1, last)].root, trees[min(2, last)].root, trees[last].root}, [4][]float64{x, x, x, x})
		}
		for _, leaf := range at[:n] {
			out[class] = f.add(out[class], f.values[leaf])
			if class++; class == f.classes {
				class = 0
			}
		}
		trees = trees[n:]
	}
}

// rows4 takes four rows through one numeric tree and returns their leaves.
func (f *forest) rows4(t tree, x0, x1, x2, x3 []float64) [4]int32 {
	nodes := f.nodes
	a, b, c, d := t.root, t.root, t.root, t.root
	for k := 0; ; k++ {
		na, nb, nc, nd := &nodes[a], &nodes[b], &nodes[c], &nodes[d]
		a2, b2 := na.left+na.right(x0[na.feature]), nb.left+nb.right(x1[nb.feature])
		c2, d2 := nc.left+nc.right(x2[nc.feature]), nd.left+nd.right(x3[nd.feature])
		if k >= t.safe && (a^a2)|(b^b2)|(c^c2)|(d^d2) == 0 {
			return [4]int32{a, b, c, d}
		}
		a, b, c, d = a2, b2, c2, d2
	}
}

// trees4 takes one row through four numeric trees and returns its leaves.
func (f *forest) trees4(t []tree, x []float64) [4]int32 {
	nodes := f.nodes
	a, b, c, d := t[0].root, t[1].root, t[2].root, t[3].root
	safe := max(t[0].safe, t[1].safe, t[2].safe, t[3].safe)
	for k := 0; ; k++ {
		na, nb, nc, nd := &nodes[a], &nodes[b], &nodes[c], &nodes[d]
		a2, b2 := na.left+na.right(x[na.feature]), nb.left+nb.right(x[nb.feature])
		c2, d2 := nc.left+nc.right(x[nc.feature]), nd.left+nd.right(x[nd.feature])
		if k >= safe && (a^a2)|(b^b2)|(c^c2)|(d^d2) == 0 {
			return [4]int32{a, b, c, d}
		}
		a, b, c, d = a2, b2, c2, d2
	}
}

// walk4 takes four rows from four roots to their leaves, past nodes of any kind.
func (f *forest) walk4(at [4]int32, x [4][]float64) [4]int32 {
	a, b, c, d := at[0], at[1], at[2], at[3]
	x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
	nodes := f.nodes
	for {
		na, nb, nc, nd := &nodes[a], &nodes[b], &nodes[c], &nodes[d]
		a2, b2 := f.step(na, x0[na.feature]), f.step(nb, x1[nb.feature])
		c2, d2 := f.step(nc, x2[nc.feature]), f.step(nd, x3[nd.feature])
		if (a^a2)|(b^b2)|(c^c2)|(d^d2) == 0 {
			return [4]int32{a, b, c, d}
		}
		a, b, c, d = a2, b2, c2, d2
	}
}
