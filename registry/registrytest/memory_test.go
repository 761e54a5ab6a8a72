package registrytest

import (
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
)

func TestMemory(t *testing.T) {
	TestCatalog(t, func(*testing.T) registry.Catalog { return NewMemory() })
}
