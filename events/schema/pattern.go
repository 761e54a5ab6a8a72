package schema

import (
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

// matcher returns the quickest way to tell whether re matches.
func matcher(re *regexp.Regexp) func([]byte) bool {
	if rs := runsOf(re.String()); rs != nil {
		return rs.match
	}
	return re.Match
}

// runs is an expression such as ^[A-Z]{3}-[0-9]+$: ASCII letters one class after the other, over the whole text. It needs
// no engine, because each run takes all that it can get and is never wrong to do so.
type runs []run

// run is at least and at most so many letters of a class; -1 is no bound.
type run struct {
	class       [2]uint64
	least, most int
}

func (r run) has(c byte) bool { return c < utf8.RuneSelf && r.class[c>>6]&(1<<(c&63)) != 0 }

func (rs runs) match(text []byte) bool {
	i := 0
	for k := range rs {
		r, start := &rs[k], i
		for i < len(text) && i-start != r.most && r.has(text[i]) {
			i++
		}
		if i-start < r.least {
			return false
		}
	}
	return i == len(text)
}

// runsOf returns nil where the expression is of another kind.
func runsOf(pattern string) runs {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || re.Op != syntax.OpConcat || len(re.Sub) < 2 {
		return nil
	}
	last := len(re.Sub) - 1
	if re.Sub[0].Op != syntax.OpBeginText || re.Sub[last].Op != syntax.OpEndText {
		return nil
	}
	rs := runs{}
	for _, sub := range re.Sub[1:last] {
		if rs = rs.add(sub); rs == nil {
			return nil
		}
	}
	for k, r := range rs {
		if r.least != r.most && !r.apart(rs[k+1:]) {
			return nil
		}
	}
	return rs
}

// apart reports whether no letter of r can begin what follows, so that r may take it.
func (r run) apart(rest runs) bool {
	for _, next := range rest {
		if r.class[0]&next.class[0] != 0 || r.class[1]&next.class[1] != 0 {
			return false
		}
		if next.least > 0 {
			return true
		}
	}
	return true
}

// add appends what re stands for, or returns nil.
func (rs runs) add(re *syntax.Regexp) runs {
	least, most := 1, 1
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return nil
		}
		for _, c := range re.Rune {
			var r run
			if !r.take(c, c) {
				return nil
			}
			r.least, r.most = 1, 1
			rs = append(rs, r)
		}
		return rs
	case syntax.OpStar:
		least, most = 0, -1
	case syntax.OpPlus:
		least, most = 1, -1
	case syntax.OpQuest:
		least, most = 0, 1
	case syntax.OpRepeat:
		least, most = re.Min, re.Max
	}
	if len(re.Sub) == 1 && re.Op != syntax.OpCapture {
		re = re.Sub[0]
	}
	r := run{least: least, most: most}
	switch {
	case re.Op == syntax.OpLiteral && len(re.Rune) == 1 && re.Flags&syntax.FoldCase == 0:
		if !r.take(re.Rune[0], re.Rune[0]) {
			return nil
		}
	case re.Op == syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			if !r.take(re.Rune[i], re.Rune[i+1]) {
				return nil
			}
		}
	default:
		return nil
	}
	return append(rs, r)
}

// take adds a range of letters to the class, all of which are ASCII.
func (r *run) take(from, to rune) bool {
	if to >= utf8.RuneSelf {
		return false
	}
	for c := from; c <= to; c++ {
		r.class[c>>6] |= 1 << (c & 63)
	}
	return true
}
