package main

import (
	"os"
	"slices"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// Every measurement that can be chosen can be done.
func TestMeasurementsAreThere(t *testing.T) {
	names, known := measurements()
	if len(names) != len(known) {
		t.Errorf("%d names, %d measurements", len(names), len(known))
	}
	for _, name := range names {
		if known[name] == nil {
			t.Errorf("%s cannot be done", name)
		}
	}
}

// The registry takes the manifests, and each is a dataset of its own.
func TestDatasetsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for i := range 100 {
		b, err := emptyDataset("flight-delay", i).Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := manifest.DecodeDataset(b); err != nil {
			t.Fatal(err)
		}
		seen[string(b)] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d different manifests of 100", len(seen))
	}
}

func TestMemory(t *testing.T) {
	m := watchMemory(os.Getpid())
	defer m.close()
	if got := m.take(); slices.Max(got) < 1<<20 {
		t.Errorf("samples %d", got)
	}
	if first, last := thirds([]int64{5, 100, 6, 50, 50, 50, 8, 9, 7}); first != 6 || last != 8 {
		t.Errorf("thirds %d and %d, want the middle of each", first, last)
	}
	if first, last := thirds([]int64{4}); first != 4 || last != 4 {
		t.Errorf("one sample: %d and %d", first, last)
	}
}

// Objects reach the peer whole, each in a variable of its own.
func TestArgoObjects(t *testing.T) {
	got, err := encoded(argoBus("127.0.0.1:9092", "bus"), argoSource("127.0.0.1:9092"), argoSensor())
	if err != nil || len(got) != 3 {
		t.Fatalf("%v, %v", got, err)
	}
	for i, o := range got {
		if len(o) < 50 {
			t.Errorf("object %d is %q", i, o)
		}
	}
	if _, err := encoded(func() {}); err == nil {
		t.Error("a function is an object")
	}
}
