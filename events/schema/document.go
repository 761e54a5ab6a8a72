package schema

import "github.com/signalbox-ml/signalbox/events/lex"

// document is a schema as it was written: a tree of JSON that keeps the text of numbers.
type document struct {
	typ     Types
	text    string // of a string what it says, of a number, true and false what is written
	members []entry
	items   []document
}

// entry is one member of an object.
type entry struct {
	name  string
	value document
}

// parse reads a schema. Members that are there twice are faults of the compiler.
func (c *compiler) parse(b []byte) (document, bool) {
	r := reader{Lexer: lex.Lexer{Data: b}, compiler: c}
	doc, ok := r.read("", 0)
	return doc, ok && r.End() || c.fault("", "it is not JSON: %s at byte %d", r.Broken, r.Pos)
}

// reader reads a document.
type reader struct {
	lex.Lexer
	compiler *compiler
}

func (r *reader) read(at string, depth int) (document, bool) {
	b := r.Peek()
	if depth == maxDepth && (b == '{' || b == '[') {
		return document{}, r.Fail(tooDeep)
	}
	switch b {
	case '{':
		return r.object(at, depth)
	case '[':
		return r.array(at, depth)
	case '"':
		raw, _, ok := r.Text()
		return document{typ: String, text: string(lex.Unescape(nil, raw))}, ok
	case 't':
		return document{typ: Boolean, text: "true"}, r.Literal("true")
	case 'f':
		return document{typ: Boolean, text: "false"}, r.Literal("false")
	case 'n':
		return document{typ: Null, text: "null"}, r.Literal("null")
	}
	text, _, ok := r.Number()
	return document{typ: Number, text: string(text)}, ok
}

func (r *reader) object(path string, depth int) (document, bool) {
	doc := document{typ: Object}
	have := map[string]bool{}
	r.Pos++
	for more := r.Peek() != '}'; more; {
		raw, _, ok := r.Key()
		if !ok {
			return doc, false
		}
		e := entry{name: string(lex.Unescape(nil, raw))}
		where := at(path, e.name)
		if have[e.name] {
			r.compiler.fault(where, "it is there twice: leave one")
		}
		have[e.name] = true
		if e.value, ok = r.read(where, depth+1); !ok {
			return doc, false
		}
		doc.members = append(doc.members, e)
		if more, ok = r.Next('}'); !ok {
			return doc, false
		}
	}
	if len(doc.members) == 0 {
		r.Pos++
	}
	return doc, true
}

func (r *reader) array(path string, depth int) (document, bool) {
	doc := document{typ: Array}
	r.Pos++
	for more := r.Peek() != ']'; more; {
		item, ok := r.read(path, depth+1)
		if !ok {
			return doc, false
		}
		doc.items = append(doc.items, item)
		if more, ok = r.Next(']'); !ok {
			return doc, false
		}
	}
	if len(doc.items) == 0 {
		r.Pos++
	}
	return doc, true
}

// member returns the value of a member, nil where there is none.
func (d document) member(name string) *document {
	for i := range d.members {
		if d.members[i].name == name {
			return &d.members[i].value
		}
	}
	return nil
}
