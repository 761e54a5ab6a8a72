package kafkatest_test

import (
	"testing"
	"testing/synctest"

	"github.com/signalbox-ml/signalbox/events/kafka/kafkatest"
)

// TestVirtual runs the contract suite in memory, each case in a bubble with a broker of its own.
func TestVirtual(t *testing.T) {
	for _, c := range kafkatest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, err := kafkatest.NewVirtual()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(v.Close)
				c.Run(t, v.Config())
			})
		})
	}
}
