//go:build !linux

package child_test

// parent has nothing to prove where there is no parent-death signal.
func parent() int { return 1 }
