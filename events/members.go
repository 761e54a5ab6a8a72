package events

import (
	"bytes"
	"fmt"

	"github.com/signalbox-ml/signalbox/events/lex"
)

// maxDepth is how deep the data of an event may nest: as deep as encoding/json reads.
const maxDepth = 10_000

// member is one member of an event in the JSON format; value is JSON.
type member struct {
	name  string
	value []byte
}

// fewMembers is how many members are searched one by one. No honest event has more.
const fewMembers = 64

// membersOf appends the members of the object b to list, each name once. null has none.
func membersOf(b []byte, list []member) ([]member, error) {
	l := lex.Lexer{Data: b, Loose: true}
	switch l.Peek() {
	case 'n':
		if l.Literal("null") && l.End() {
			return nil, nil
		}
		return nil, notJSON(&l)
	case '{':
	default:
		return nil, notJSON(&l)
	}
	l.Pos++
	var index map[string]int
	for more := l.Peek() != '}'; more; {
		m, ok := readMember(&l)
		if ok {
			more, ok = l.Next('}')
		}
		if !ok {
			return nil, notJSON(&l)
		}
		if at := find(list, &index, m.name); at >= 0 {
			list[at].value = m.value
			continue
		}
		list = append(list, m)
	}
	if len(list) == 0 {
		l.Pos++
	}
	if !l.End() {
		return nil, notJSON(&l)
	}
	return list, nil
}

func readMember(l *lex.Lexer) (member, bool) {
	name, escaped, ok := l.Key()
	if !ok {
		return member{}, false
	}
	if escaped {
		name = lex.Unescape(nil, name)
	}
	l.Peek()
	from := l.Pos
	ok = l.Skip(maxDepth)
	return member{name: nameOf(name), value: l.Data[from:l.Pos:l.Pos]}, ok
}

// find returns where a name stands in list, or -1. Beyond fewMembers it keeps an index.
func find(list []member, index *map[string]int, name string) int {
	if len(list) < fewMembers {
		for i := range list {
			if list[i].name == name {
				return i
			}
		}
		return -1
	}
	if *index == nil {
		*index = make(map[string]int, 2*fewMembers)
		for i := range list {
			(*index)[list[i].name] = i
		}
	}
	if i, ok := (*index)[name]; ok {
		return i
	}
	(*index)[name] = len(list)
	return -1
}

// nameOf returns the name as a string; those that every event has cost no memory.
func nameOf(name []byte) string {
	switch string(name) {
	case "specversion":
		return "specversion"
	case "id":
		return "id"
	case "source":
		return "source"
	case "type":
		return "type"
	case "subject":
		return "subject"
	case "time":
		return "time"
	case "datacontenttype":
		return "datacontenttype"
	case "dataschema":
		return "dataschema"
	case "data":
		return "data"
	case "partitionkey":
		return "partitionkey"
	case "traceparent":
		return "traceparent"
	case "tracestate":
		return "tracestate"
	}
	return string(name)
}

// textOf returns what a JSON string says.
func textOf(raw []byte) string {
	raw = raw[1 : len(raw)-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw)
	}
	return string(lex.Unescape(make([]byte, 0, len(raw)), raw))
}

func notJSON(l *lex.Lexer) error {
	if l.Broken == "" {
		return fmt.Errorf("there is something else at byte %d", l.Pos)
	}
	return fmt.Errorf("%s at byte %d", l.Broken, l.Pos)
}
