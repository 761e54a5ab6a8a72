// Command chaos breaks the archive on purpose. Real servers (Apache Kafka, PostgreSQL, MinIO) and the production binary run
// as processes; two archivers are killed, stopped and cut off by a plan that its seed repeats, also exactly between the
// steps of the protocol. At the end every record of the log must be in the archive once, byte for byte.
//
//	go run ./deploy/chaos --duration 10m --seed 7
//	go run ./deploy/chaos --seed 7 mutants
//
// The second form builds programs that break one promise each, and wants the harness to catch every one of them.
// A run ends with 0 (PASS), 1 (FAIL: the archive broke a promise) or 2 (VOID: a fault of the plan never hit).
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.DurationVar(&o.Duration, "duration", 10*time.Minute, "how long faults come; at least 60s for every kind to hit")
	flag.Uint64Var(&o.Seed, "seed", uint64(time.Now().Unix()), "the same seed and duration make the same plan")
	flag.StringVar(&o.Signalbox, "signalbox", "", "binary under test, or the folder with those of mutants; built from this tree where empty")
	flag.StringVar(&o.Dir, "dir", "", "where everything is kept; a temporary folder that goes after PASS where empty")
	flag.BoolVar(&o.UntilViolation, "until-violation", false, "check all the time, and stop at the first violation")
	flag.IntVar(&o.MinKills, "min-kills", 0, "fewer kills of archivers make the run void")
	flag.IntVar(&o.MinConflicts, "min-conflicts", 0, "fewer stale owners that the ledger refused make the run void")
	flag.BoolVar(&o.Keep, "keep", false, "keep the folder after PASS, too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if flag.Arg(0) == "mutants" {
		err := hunt(ctx, o, flag.Args()[1:], os.Stdout)
		stop()
		if err != nil {
			fmt.Fprintln(os.Stderr, "chaos:", err)
			os.Exit(int(verdictFail))
		}
		return
	}
	rep, err := rampage(ctx, o, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		fmt.Fprintln(os.Stderr, o.replay())
		os.Exit(int(verdictFail))
	}
	os.Exit(int(rep.verdict()))
}
