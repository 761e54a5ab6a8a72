package events

// TypeTagMoved says that a tag has a new value. Subject and record key: <model>/<tag>. The topic is compacted, so the
// newest event of each tag can always be read.
const TypeTagMoved = "dev.signalbox.tag.moved"

// TagMoved is the data of TypeTagMoved.
type TagMoved struct {
	Tag        string `json:"tag"` // <model>/<name>
	Generation int64  `json:"generation"`
	Previous   []Arm  `json:"previous"`
	Next       []Arm  `json:"next"`
	Actor      string `json:"actor"`
	Reason     string `json:"reason"`
	Evidence   string `json:"evidence,omitempty"` // digest of an evaluation
}

// Arm is one share of a tag's traffic.
type Arm struct {
	Package string `json:"package"` // digest
	Weight  int    `json:"weight"`  // of 10000
}
