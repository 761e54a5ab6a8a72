package ledgertest_test

import (
	"testing"

	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/ledger/ledgertest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	ledgertest.TestLedger(t, func(*testing.T) ledger.Ledger { return ledgertest.NewMemory() })
}
