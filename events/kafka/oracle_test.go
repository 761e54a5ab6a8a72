package kafka

import (
	"bytes"
	"context"
	"io"
	"strings"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/binding/format"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The SDK's own binding machinery, fitted to records: what the codec must agree with.

func sdkEncode(ev event.Event, structured bool) (*kgo.Record, error) {
	ctx := context.Background()
	if structured {
		ctx = binding.WithForceStructured(ctx)
	}
	r := &kgo.Record{}
	_, err := binding.Write(ctx, binding.ToMessage(&ev), (*sdkWriter)(r), (*sdkWriter)(r))
	return r, err
}

func sdkDecode(r *kgo.Record) (*event.Event, error) {
	m := &sdkMessage{r: r, headers: map[string]string{}}
	for _, h := range r.Headers {
		m.headers[strings.ToLower(h.Key)] = string(h.Value)
	}
	if m.format = format.Lookup(m.headers["content-type"]); m.format == nil {
		m.version = spec.WithPrefix("ce_").Version(m.headers["ce_specversion"])
	}
	return binding.ToEvent(context.Background(), m)
}

type sdkWriter kgo.Record

func (w *sdkWriter) set(key string, v any) error {
	if v == nil {
		return nil
	}
	s, err := types.Format(v)
	w.Headers = append(w.Headers, kgo.RecordHeader{Key: key, Value: []byte(s)})
	return err
}

func (w *sdkWriter) SetStructuredEvent(_ context.Context, f format.Format, r io.Reader) (err error) {
	if w.Value, err = io.ReadAll(r); err != nil {
		return err
	}
	return w.set("content-type", f.MediaType())
}
func (w *sdkWriter) Start(context.Context) error           { return nil }
func (w *sdkWriter) End(context.Context) error             { return nil }
func (w *sdkWriter) SetData(r io.Reader) (err error)       { w.Value, err = io.ReadAll(r); return err }
func (w *sdkWriter) SetExtension(name string, v any) error { return w.set("ce_"+name, v) }
func (w *sdkWriter) SetAttribute(a spec.Attribute, v any) error {
	if a.Kind() == spec.DataContentType {
		return w.set("content-type", v)
	}
	return w.set("ce_"+a.Name(), v)
}

type sdkMessage struct {
	r       *kgo.Record
	headers map[string]string
	format  format.Format
	version spec.Version
}

func (m *sdkMessage) ReadEncoding() binding.Encoding {
	switch {
	case m.format != nil:
		return binding.EncodingStructured
	case m.version != nil:
		return binding.EncodingBinary
	}
	return binding.EncodingUnknown
}

func (m *sdkMessage) ReadStructured(ctx context.Context, w binding.StructuredWriter) error {
	if m.format == nil {
		return binding.ErrNotStructured
	}
	return w.SetStructuredEvent(ctx, m.format, bytes.NewReader(m.r.Value))
}

func (m *sdkMessage) ReadBinary(_ context.Context, w binding.BinaryWriter) error {
	if m.version == nil {
		return binding.ErrNotBinary
	}
	for key, v := range m.headers {
		var err error
		if name, ok := strings.CutPrefix(key, "ce_"); key == "content-type" {
			err = w.SetAttribute(m.version.AttributeFromKind(spec.DataContentType), v)
		} else if a := m.version.Attribute(key); a != nil {
			err = w.SetAttribute(a, v)
		} else if ok {
			err = w.SetExtension(name, v)
		}
		if err != nil {
			return err
		}
	}
	return w.SetData(bytes.NewReader(m.r.Value))
}

func (m *sdkMessage) Finish(error) error { return nil }

func (m *sdkMessage) GetAttribute(k spec.Kind) (spec.Attribute, any) {
	a := m.version.AttributeFromKind(k)
	if k == spec.DataContentType {
		return a, m.headers["content-type"]
	}
	return a, m.headers["ce_"+a.Name()]
}

func (m *sdkMessage) GetExtension(name string) any { return m.headers["ce_"+name] }
