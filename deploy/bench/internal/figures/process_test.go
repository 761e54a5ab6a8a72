package figures

import (
	"os"
	"testing"
	"time"
)

func TestProcess(t *testing.T) {
	me := os.Getpid()
	for begin := time.Now(); CPU(me) == 0; {
		if time.Since(begin) > time.Minute {
			t.Fatal("a minute of work is no processor time")
		}
	}
	if now, most := Resident(me), Peak(me); now < 1<<20 || most < now {
		t.Errorf("this process has %d bytes, and had at most %d", now, most)
	}
	if CPU(-1) != 0 || Resident(-1) != 0 || Peak(-1) != 0 {
		t.Error("no process has taken something")
	}
}
