//go:build !linux

package e2e_test

import (
	"fmt"
	"testing"
)

// orphanage needs Linux; elsewhere nothing is found.
type orphanage struct{}

func openOrphanage(*testing.T) *orphanage { return &orphanage{} }

func (*orphanage) orphans(int) []process { return nil }

type process struct {
	pid  int
	name string
	dead bool
}

func (p process) String() string { return fmt.Sprintf("%s (pid %d)", p.name, p.pid) }

func childrenOf(int) []process { return nil }
