package inference

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// scratch is the memory of one request.
type scratch struct {
	body  []byte
	rows  runtime.Rows
	out   []byte
	spans [][2]int // of each row's outputs in out
}

// putScratch gives the memory of a request back, unless a rare large one has blown it up.
func (s *Server) putScratch(sc *scratch) {
	const much = 4 << 20
	if cap(sc.out)+8*cap(sc.rows.Values)+16*cap(sc.rows.Text) > much {
		return
	}
	clear(sc.rows.Text[:cap(sc.rows.Text)]) // texts hold on to memory of their own
	s.scratches.Put(sc)
}

// read reads the whole body.
func (sc *scratch) read(r *http.Request) error {
	tooLarge := httpapi.Faultf(http.StatusRequestEntityTooLarge, "too_large", "the body is larger than %d bytes", MaxBody)
	if r.ContentLength > MaxBody {
		return tooLarge
	}
	if need := int(r.ContentLength) + 1; cap(sc.body) < need {
		sc.body = make([]byte, 0, max(need, 4<<10))
	}
	sc.body = sc.body[:0]
	for {
		if len(sc.body) == cap(sc.body) {
			sc.body = append(sc.body, 0)[:len(sc.body)]
		}
		n, err := r.Body.Read(sc.body[len(sc.body):cap(sc.body)])
		sc.body = sc.body[:len(sc.body)+n]
		switch {
		case len(sc.body) > MaxBody:
			return tooLarge
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return httpapi.Fault(http.StatusBadRequest, "malformed", "the body ended early: send it again")
		}
	}
}

// output is one column of the answer, ready to be written.
type output struct {
	key    []byte // the name as JSON, with the colon
	kind   string
	labels [][]byte // categories as JSON
}

func outputsOf(columns []manifest.Column) []output {
	list := make([]output, len(columns))
	for i, c := range columns {
		list[i] = output{key: append(quote(c.Name), ':'), kind: c.Type}
		for _, v := range c.Categories {
			list[i].labels = append(list[i].labels, quote(v))
		}
	}
	return list
}

// quote returns s as a JSON string.
func quote(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		return []byte(`""`) // no string fails
	}
	return b
}

// answer writes {"predictions": [...], "package": ..., "generation": ..., "prediction_ids": [...]} into sc.out.
func (sc *scratch) answer(a *asked, out runtime.Batch, ids []uuid.UUID) {
	b := append(sc.out[:0], `{"predictions":[`...)
	sc.spans = sc.spans[:0]
	for i := range out.Rows {
		if i > 0 {
			b = append(b, ',')
		}
		from := len(b)
		b = append(b, '{')
		for k, o := range a.pkg.outputs {
			if k > 0 {
				b = append(b, ',')
			}
			var text string
			if len(out.Text) > 0 {
				text = out.Text[i*out.Width+k]
			}
			b = o.append(append(b, o.key...), out.Values[i*out.Width+k], text)
		}
		b = append(b, '}')
		sc.spans = append(sc.spans, [2]int{from, len(b)})
	}
	b = append(b, `],"package":"`...)
	b = append(b, a.pkg.id.String()...)
	b = append(b, '"')
	if a.generation > 0 {
		b = strconv.AppendInt(append(b, `,"generation":`...), a.generation, 10)
	}
	b = append(b, `,"prediction_ids":[`...)
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		text, _ := id.MarshalText() // never fails
		b = append(append(b, text...), '"')
	}
	sc.out = append(b, "]}\n"...)
}

// append writes one value. JSON has no word for what is no number: it is null.
func (o *output) append(b []byte, v float64, text string) []byte {
	switch {
	case o.kind == manifest.String && o.labels == nil:
		return append(b, quote(text)...)
	case math.IsNaN(v) || math.IsInf(v, 0):
		return append(b, "null"...)
	case o.kind == manifest.String:
		if i := int(v); v >= 0 && i < len(o.labels) {
			return append(b, o.labels[i]...)
		}
		return append(b, "null"...)
	case o.kind == manifest.Boolean:
		return strconv.AppendBool(b, v != 0)
	}
	return appendNumber(b, v)
}

// appendNumber writes v as encoding/json does: the shortest text that reads back as v.
func appendNumber(b []byte, v float64) []byte {
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		b = strconv.AppendFloat(b, v, 'e', -1, 64)
		if n := len(b); n >= 4 && b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' { // e-09 is e-9
			b[n-2] = b[n-1]
			b = b[:n-1]
		}
		return b
	}
	return strconv.AppendFloat(b, v, 'f', -1, 64)
}

// newIDs makes the ids of n predictions, in the order of time.
func newIDs(n int) ([]uuid.UUID, error) {
	ids := make([]uuid.UUID, n)
	for i := range ids {
		var err error
		if ids[i], err = uuid.NewV7(); err != nil {
			return nil, fmt.Errorf("prediction id: %w", err)
		}
	}
	return ids, nil
}
