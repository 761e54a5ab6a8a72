package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

// partBare is the argument that makes this program the denominator.
const partBare = "part:bare"

// bareServer is the least that a server can do which answers when Kafka has: it reads the body and produces. It checks nothing,
// neither who sends nor what.
type bareServer struct {
	cl    *kgo.Client
	split []*kgo.Record // what a batch holds, known beforehand
	turn  atomic.Uint64
}

// bare serves until its standard input ends, and says where on its output.
func bare(broker, topic string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic(topic), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0), kgo.DisableClientMetrics()) // as Signalbox sends: at once
	if err != nil {
		return err
	}
	defer cl.Close()
	s := &bareServer{cl: cl, split: splitBatch()}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/events", s.post)
	srv := &http.Server{Handler: mux}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // whoever started this has ended, or wants no more
		_ = srv.Close()
	}()
	fmt.Fprintln(os.Stdout, l.Addr())
	if err := srv.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func (s *bareServer) post(w http.ResponseWriter, r *http.Request) {
	var buf bytes.Buffer
	buf.Grow(int(max(r.ContentLength, 0)) + bytes.MinRead)
	if _, err := buf.ReadFrom(r.Body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	recs, err := s.records(r.Header, buf.Bytes())
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if s.cl.ProduceSync(r.Context(), recs...).FirstErr() != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if len(recs) > 1 {
		w.WriteHeader(http.StatusOK)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// records makes of a request what goes to Kafka. The token says how a batch is cut: a bare server has no other use for it.
func (s *bareServer) records(h http.Header, body []byte) ([]*kgo.Record, error) {
	switch h.Get("Content-Type") {
	case mediaBatch:
		if h.Get("Authorization") == "Bearer "+tokenCut {
			return cut(body)
		}
		recs, own := make([]*kgo.Record, len(s.split)), make([]kgo.Record, len(s.split))
		for i, known := range s.split {
			own[i] = *known // the client writes into it
			recs[i] = &own[i]
		}
		return recs, nil
	case mediaStructured:
		return []*kgo.Record{{Key: s.key(), Value: body, Headers: structuredHeaders()}}, nil
	}
	rec := &kgo.Record{Key: []byte(h.Get("Ce-Subject")), Value: body, Headers: make([]kgo.RecordHeader, 0, 8)}
	for name, values := range h {
		if attribute, ok := strings.CutPrefix(name, "Ce-"); ok {
			rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: "ce_" + strings.ToLower(attribute), Value: []byte(values[0])})
		}
	}
	rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: "content-type", Value: []byte("application/json")})
	return []*kgo.Record{rec}, nil
}

// key spreads records over partitions as subjects do, without a look into the event.
func (s *bareServer) key() []byte { return []byte(subject(int(s.turn.Add(1)))) }

func structuredHeaders() []kgo.RecordHeader {
	return []kgo.RecordHeader{{Key: "content-type", Value: []byte(mediaStructured)}}
}

// tokenCut asks a bare server to cut batches by itself.
const tokenCut = "cut"

// cut takes a batch apart with encoding/json, as a handler would that is written in an hour.
func cut(body []byte) ([]*kgo.Record, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, err
	}
	recs := make([]*kgo.Record, len(list))
	for i, text := range list {
		var ev struct {
			Subject string `json:"subject"`
		}
		if err := json.Unmarshal(text, &ev); err != nil {
			return nil, err
		}
		recs[i] = &kgo.Record{Key: []byte(ev.Subject), Value: text, Headers: structuredHeaders()}
	}
	return recs, nil
}

// splitBatch is the batch of every request as records in binary mode.
func splitBatch() []*kgo.Record {
	out := make([]*kgo.Record, batchSize)
	for i := range out {
		out[i] = &kgo.Record{Key: []byte(subject(i)), Value: []byte(data(i))}
		for _, h := range [...][2]string{
			{"ce_specversion", "1.0"}, {"ce_id", strings.Repeat("0", idDigits)}, {"ce_source", source}, {"ce_type", eventType},
			{"ce_subject", subject(i)}, {"ce_time", at}, {"content-type", "application/json"}, {"ce_traceparent", traceparent},
		} {
			out[i].Headers = append(out[i].Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
		}
	}
	return out
}
