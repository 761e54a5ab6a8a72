package segment

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/signalbox-ml/signalbox/events"
)

// verbatim stands in header_order for a header that is kept whole in headers.
const verbatim = "*"

// unpacker turns records into columns. What it returns aliases the record and the unpacker, until reset.
type unpacker struct {
	layout  layout // of the record's headers
	exts    []ext
	orders  map[string][]byte // every header_order seen, so that equal ones are one text
	order   []byte
	times   []int64
	headers []header
	text    []byte
	typed   *typed   // which types' data is taken apart
	data    []member // of the data of a type with such columns
}

// ext is an extension without a column of its own.
type ext struct {
	name   string
	value  []byte
	header int // that gave it, -1 for none
}

// maxOrders bounds what hostile headers can make the unpacker remember.
const maxOrders = 1024

func newUnpacker() *unpacker { return &unpacker{orders: map[string][]byte{}, typed: &typed{}} }

// reset takes back the memory of the rows given out so far.
func (u *unpacker) reset() {
	u.times, u.headers, u.text = u.times[:0], u.headers[:0], u.text[:0]
}

// unpack fills c from r. The Kafka protocol binding lets the content type decide, then ce_specversion; a record that
// lacks a required attribute is no CloudEvent.
func (u *unpacker) unpack(partition int32, r *events.Record, c *columns) {
	bare := columns{Partition: partition, Offset: r.Offset, AppendTime: r.AppendTime.UnixMicro(), Key: r.Key}
	*c = bare
	u.scan(r, c)
	media := c.DataContentType
	if isStructured(media) {
		*c, u.exts = bare, u.exts[:0]
		if env, ok := parseEnvelope(r.Value); ok {
			u.structured(env, c)
			c.Value = r.Value
		} else {
			u.payload(c, media, r.Value)
		}
		u.keepHeaders(r, c, false)
		return
	}
	if !u.isVersion(r) || c.ID == nil || c.Source == nil || c.Type == nil {
		*c = bare
		u.payload(c, media, r.Value)
		u.keepHeaders(r, c, false)
		return
	}
	u.extensions(c)
	u.payload(c, media, r.Value)
	u.keepHeaders(r, c, true)
}

// scan fills c from the headers. Where one repeats the last counts.
func (u *unpacker) scan(r *events.Record, c *columns) {
	l := u.layout.of(r)
	u.exts = u.exts[:0]
	for i, a := range l.kinds {
		if a == attrExtension || l.last[a] == i+1 {
			u.set(c, a, l.names[i], r.Headers[i].Value, i)
		}
	}
}

// isVersion is asked after scan.
func (u *unpacker) isVersion(r *events.Record) bool {
	return string(u.layout.value(r, attrVersion)) == specVersion
}

func (u *unpacker) set(c *columns, a attribute, name string, v []byte, header int) {
	switch a {
	case attrID:
		c.ID = text(v)
	case attrSource:
		c.Source = text(v)
	case attrType:
		c.Type = text(v)
	case attrSubject:
		c.Subject = text(v)
	case attrTime:
		c.Time = u.instant(v)
	case attrRecordedTime:
		c.RecordedTime = u.instant(v)
	case attrDataSchema:
		c.DataSchema = text(v)
	case attrDataContentType:
		c.DataContentType = text(v)
	case attrTraceParent:
		c.TraceParent = text(v)
	case attrExtension:
		u.extension(ext{name, v, header})
	case attrNone, attrVersion, attributes:
	}
}

func (u *unpacker) extension(e ext) {
	if e.value != nil && utf8.Valid(e.value) {
		u.exts = append(u.exts, e)
	}
}

// extensions writes ce_ext, sorted so that equal events give equal bytes. Of equal names the last counts.
func (u *unpacker) extensions(c *columns) {
	if len(u.exts) == 0 {
		return
	}
	slices.SortFunc(u.exts, func(a, b ext) int { return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(b.header, a.header)) })
	u.exts = slices.CompactFunc(u.exts, func(a, b ext) bool { return a.name == b.name })
	start := len(u.text)
	sep := byte('{')
	for _, e := range u.exts {
		u.text = append(u.text, sep, '"')
		u.text = append(u.text, e.name...)
		u.text = append(u.text, '"', ':')
		u.text = appendString(u.text, e.value)
		sep = ','
	}
	u.text = append(u.text, '}')
	c.Ext = u.text[start:len(u.text):len(u.text)]
}

// payload stores data as text if it is declared, or may be, JSON and really is.
func (u *unpacker) payload(c *columns, contentType, data []byte) {
	if data != nil && isJSON(contentType) && u.read(c.Type, data) {
		c.Data = data
		return
	}
	c.DataBytes = data
}

// read reports whether data is strict JSON. It keeps its members where typed columns are made of them.
func (u *unpacker) read(typ, data []byte) (ok bool) {
	if !u.typed.has(typ) {
		return strictJSON(data)
	}
	u.data, ok = appendMembers(u.data[:0], data)
	return ok
}

// members are those of the data of c, which was unpacked last, if its type has typed columns.
func (u *unpacker) members(c *columns) []member {
	if c.Data == nil || !u.typed.has(c.Type) {
		return nil
	}
	return u.data
}

// keepHeaders writes header_order and headers: with named, a header that a column gives back exactly is only named.
func (u *unpacker) keepHeaders(r *events.Record, c *columns, named bool) {
	start, told := len(u.headers), uint64(0)
	for i := range r.Headers {
		h := &r.Headers[i]
		if named && u.givesBack(c, i, h) {
			told |= 1 << (i & 63)
			continue
		}
		u.headers = append(u.headers, header{[]byte(h.Key), h.Value, h.Value == nil})
	}
	if len(u.headers) > start {
		c.Headers = u.headers[start:len(u.headers):len(u.headers)]
	}
	if !named {
		return
	}
	l := &u.layout
	if l.order == nil || l.named != told || len(r.Headers) > 64 {
		l.named, l.order = told, u.orderOf(c, r)
	}
	c.HeaderOrder = l.order
}

func (u *unpacker) orderOf(c *columns, r *events.Record) []byte {
	u.order = u.order[:0]
	for i := range r.Headers {
		name := verbatim
		if u.givesBack(c, i, &r.Headers[i]) {
			name = r.Headers[i].Key
		}
		u.order = append(append(u.order, name...), ',')
	}
	return u.intern(u.order[:len(u.order)-1])
}

// givesBack reports whether header i can be told from the column that it filled.
func (u *unpacker) givesBack(c *columns, i int, h *events.RecordHeader) bool {
	a := u.layout.kinds[i]
	if !u.layout.plain[i] {
		return false
	}
	if a == attrExtension {
		at, ok := slices.BinarySearchFunc(u.exts, u.layout.names[i], func(e ext, name string) int { return strings.Compare(e.name, name) })
		return ok && u.exts[at].header == i
	}
	if u.layout.last[a] != i+1 {
		return false
	}
	switch a {
	case attrTime:
		return c.Time != nil && isCanonicalTime(h.Value)
	case attrRecordedTime:
		return c.RecordedTime != nil && isCanonicalTime(h.Value)
	case attrVersion:
		return true // there is only one
	default:
		return c.textOf(a) != nil // text is kept as it is, or not at all
	}
}

func (u *unpacker) intern(order []byte) []byte {
	if o, ok := u.orders[string(order)]; ok {
		return o
	}
	if len(u.orders) >= maxOrders {
		clear(u.orders)
	}
	o := slices.Clone(order)
	u.orders[string(o)] = o
	return o
}

func (u *unpacker) instant(v []byte) *int64 {
	t, ok := parseTime(v)
	if !ok {
		return nil
	}
	u.times = append(u.times, t)
	return &u.times[len(u.times)-1]
}

// text keeps what can stand in a text column; an attribute is never empty.
func text(v []byte) []byte {
	if len(v) == 0 || !utf8.Valid(v) {
		return nil
	}
	return v
}
