package kafkatest_test

import (
	"testing"

	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/events/kafka/kafkatest"
)

// TestApache runs the contract suite on the real thing, in real time.
func TestApache(t *testing.T) {
	a, err := kafkatest.StartApache(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	cfg := a.Config()
	for _, c := range kafkatest.Cases() {
		t.Run(c.Name, func(t *testing.T) { c.Run(t, cfg) })
	}
	t.Run("consumer protocol", func(t *testing.T) {
		cfg.GroupProtocol = kafka.GroupConsumer
		for _, c := range kafkatest.GroupCases() {
			t.Run(c.Name, func(t *testing.T) { c.Run(t, cfg) })
		}
	})
}
