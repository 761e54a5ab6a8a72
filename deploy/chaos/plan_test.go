package main

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestPlanIsTheSeeds(t *testing.T) {
	a, b := makePlan(7, 10*time.Minute), makePlan(7, 10*time.Minute)
	if !reflect.DeepEqual(a, b) {
		t.Error("one seed made two plans")
	}
	if reflect.DeepEqual(a.Process, makePlan(8, 10*time.Minute).Process) {
		t.Error("two seeds made one plan")
	}
}

func TestPlanHasEveryKind(t *testing.T) {
	for seed := range uint64(50) {
		p := makePlan(seed, time.Minute)
		got := map[fault]bool{}
		for _, steps := range [][]step{p.Process, p.Store} {
			last := time.Duration(0)
			for _, s := range steps {
				got[s.Fault] = true
				if s.At < last || s.At > time.Minute {
					t.Fatalf("seed %d: %s at %s, after %s", seed, s.Fault, s.At, last)
				}
				last = s.At
				if alone := slices.Contains([]fault{killBroker, killPostgres, killIngest, killBoth, remakeTopic}, s.Fault); (s.Target < 0) != alone || s.Target >= archivers {
					t.Errorf("seed %d: %s of %d", seed, s.Fault, s.Target)
				}
			}
		}
		for _, k := range append(processKinds(), storeKinds()...) {
			if !got[k.fault] {
				t.Errorf("seed %d: no %q in a minute", seed, k.fault)
			}
		}
	}
}

func TestPlanOfTenMinutesIsDense(t *testing.T) {
	kills := 0
	for _, s := range makePlan(1, 10*time.Minute).Process {
		switch s.Fault {
		case killRandom, killWorking, killFile, killFileDone, killCommit, killCommitted, killMirror, killMirrored:
			kills++
		}
	}
	if kills < 300 {
		t.Errorf("%d kills in ten minutes, want 300", kills)
	}
}
