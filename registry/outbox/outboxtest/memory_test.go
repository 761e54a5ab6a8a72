package outboxtest_test

import (
	"testing"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/outbox/outboxtest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	outboxtest.TestSource(t, func(t *testing.T) outboxtest.Harness {
		m := outboxtest.NewMemory()
		return outboxtest.Harness{
			Source: m,
			Add:    func(_ *testing.T, evs ...events.Event) { m.Add(evs...) },
			Crash:  func(*testing.T) { m.Crash() },
		}
	})
}
