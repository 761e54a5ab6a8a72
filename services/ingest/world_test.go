package ingest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/events/kafka/kafkatest"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/registrytest"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

const (
	arrived = "com.example.flight.arrived"
	paid    = "com.example.order.paid"
)

const declared = `apiVersion: signalbox.dev/v1
kind: Stream
metadata: {name: flights}
spec:
  partitions: 3
  types:
    com.example.flight.arrived:
      schema: {type: object, required: [delay], properties: {delay: {type: integer}, pad: {type: string}}, additionalProperties: false}
---
apiVersion: signalbox.dev/v1
kind: Stream
metadata: {name: orders}
spec:
  partitions: 1
  types: {com.example.order.paid: {schema: {type: object}}}
`

// world is the server behind the router, with a broker in memory and a client over HTTP.
type world struct {
	t       *testing.T
	catalog *registrytest.Memory
	server  *Server
	cable   *cable
	broker  *kafkatest.Virtual
	url     string
	tokens  map[auth.Role]string
	client  *remote.Client
}

// newWorld takes changes to the configurations; nil changes nothing.
func newWorld(t *testing.T, change func(*Config, *kafka.ProducerConfig)) *world {
	t.Helper()
	w := &world{t: t, catalog: registrytest.NewMemory(), tokens: map[auth.Role]string{}}
	w.startBroker()
	w.apply(declared)
	pc := kafka.ProducerConfig{Config: w.broker.Config()}
	cfg := Config{Specs: w.catalog}
	if change != nil {
		change(&cfg, &pc)
	}
	w.cable = &cable{dial: pc.Dial}
	pc.Dial = w.cable.Dial
	p, err := kafka.NewProducer(pc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.cable.set(whole)
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if cfg.Publisher == nil {
		cfg.Publisher = p
	}
	if w.server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	w.serve(nil)
	return w
}

func (w *world) startBroker() {
	w.t.Helper()
	var err error
	if w.broker, err = kafkatest.NewVirtual(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.broker.Close)
	adm, err := kafka.NewAdmin(kafka.AdminConfig{Config: w.broker.Config()})
	if err != nil {
		w.t.Fatal(err)
	}
	defer adm.Close()
	topics := []events.TopicSpec{{Name: "events.flights", Partitions: 3}, {Name: "events.orders", Partitions: 1}, {Name: "events.late", Partitions: 1}}
	if err := adm.EnsureTopics(w.t.Context(), topics); err != nil {
		w.t.Fatal(err)
	}
}

// serve puts the server behind a router and a port; wrap may put something in between.
func (w *world) serve(wrap func(http.Handler) http.Handler) {
	w.t.Helper()
	var stored []auth.Token
	for _, role := range auth.Roles() {
		text, tok, err := auth.NewToken("a "+string(role), role)
		if err != nil {
			w.t.Fatal(err)
		}
		stored, w.tokens[role] = append(stored, tok), text
	}
	who, err := auth.New(stored, []byte(strings.Repeat("k", 32)))
	if err != nil {
		w.t.Fatal(err)
	}
	rt, err := httpapi.NewRouter(httpapi.Config{Auth: who})
	if err != nil {
		w.t.Fatal(err)
	}
	w.server.Routes(rt)
	h := http.Handler(rt)
	if wrap != nil {
		h = wrap(rt)
	}
	srv := httptest.NewServer(h)
	w.t.Cleanup(srv.Close)
	w.url = srv.URL
	if w.client, err = remote.New(remote.Config{URL: w.url, Token: w.tokens[auth.Producer]}); err != nil {
		w.t.Fatal(err)
	}
}

// apply stores specs as the registry does.
func (w *world) apply(text string) {
	w.t.Helper()
	docs, err := spec.Parse([]byte(text))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, d := range docs {
		b, digest, err := spec.Canonical(d)
		if err != nil {
			w.t.Fatal(err)
		}
		if _, _, err := w.catalog.PutSpec(w.t.Context(), registry.Spec{Kind: d.Kind, Name: d.Metadata.Name, Body: b, Digest: digest}); err != nil {
			w.t.Fatal(err)
		}
	}
}
