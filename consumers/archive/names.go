package archive

import "github.com/signalbox-ml/signalbox/events"

// maxNames bounds what hostile headers can make a batch remember.
const maxNames = 256

// names is the names of headers that the records of a batch have: they are kept once.
type names struct {
	list  []string
	known map[string]uint64 // name: its place, from 1
}

// of returns the places of r's names, 0 for one too many, in memory of places.
func (n *names) of(r *events.Record, places []uint64) []uint64 {
	places = places[:0]
	for i := range r.Headers {
		places = append(places, n.place(r.Headers[i].Key))
	}
	return places
}

func (n *names) place(name string) uint64 {
	if at, ok := n.known[name]; ok {
		return at
	}
	if len(n.list) == maxNames {
		return 0
	}
	if n.known == nil {
		n.known = map[string]uint64{}
	}
	n.list = append(n.list, name)
	n.known[name] = uint64(len(n.list))
	return uint64(len(n.list))
}
