package kafkatest_test

import (
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/events/kafka/kafkatest"
)

// TestVirtual runs the contract suite in memory, each case in a bubble with a broker of its own.
func TestVirtual(t *testing.T) {
	for _, c := range kafkatest.Cases() {
		inBubble(t, c, kafka.GroupClassic)
	}
	t.Run("consumer protocol", func(t *testing.T) {
		for _, c := range kafkatest.GroupCases() {
			inBubble(t, c, kafka.GroupConsumer)
		}
	})
}

func inBubble(t *testing.T, c kafkatest.Case, protocol string) {
	t.Run(c.Name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			v, err := kafkatest.NewVirtual(kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": "1000", "group.min.session.timeout.ms": "500"}))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(v.Close)
			cfg := v.Config()
			cfg.GroupProtocol = protocol
			c.Run(t, cfg)
		})
	})
}
