package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// catchUp bounds how long the archive may take to reach the end of every topic when faults are over.
const catchUp = 2 * time.Minute

// judge waits until the archive has caught up and looks at all of it.
func (s *stage) judge(ctx context.Context, rep *report, out io.Writer) error {
	acked, err := s.acks.close()
	if err != nil {
		return err
	}
	if s.violated() {
		rep.fill(s, acked)
		return nil
	}
	began := time.Now()
	bound, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	if err := s.caughtUp(bound); err != nil && ctx.Err() == nil {
		s.checker.found.add(breachBehind, "after %s: %v", catchUp, err)
	}
	rep.caughtUp = time.Since(began)
	fmt.Fprintf(out, "the archive has caught up after %s\n", rep.caughtUp.Round(time.Millisecond))
	began = time.Now()
	if err := s.checker.advance(ctx, behindFor); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	if err := s.checker.live(ctx); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	ids, err := readAcks(filepath.Join(s.dir, "acks.jsonl"))
	if err != nil {
		return err
	}
	if len(ids) != acked {
		return fmt.Errorf("the log of acknowledgements has %d lines, %d were written", len(ids), acked)
	}
	s.checker.finish(ids)
	if err := s.verify(ctx); err != nil {
		return err
	}
	s.overwrites()
	for _, sub := range append([]*subject{s.control, s.conform}, s.archivers...) {
		rep.ended(sub)
		crashes(sub, &s.checker.found)
	}
	rep.checked = time.Since(began)
	rep.fill(s, acked)
	return nil
}

// overwrites adds the ones that were seen since the last time to the findings.
func (s *stage) overwrites() {
	for _, v := range s.world.audit.take() {
		s.checker.found.add(breachOverwrite, "%s", v)
	}
}

// caughtUp waits until every partition is archived to its end, and no event waits to be told. Sealing makes events, which
// are archived in their turn, but not sealed.
func (s *stage) caughtUp(ctx context.Context) error {
	behind := "nothing was looked at"
	err := until(ctx, 300*time.Millisecond, func() (bool, error) {
		var lookErr error
		behind, lookErr = s.behind(ctx)
		if lookErr != nil {
			behind = lookErr.Error()
		}
		return behind == "", nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", behind, err)
	}
	return nil
}

// behind says which partition is not archived to its end, or nothing.
func (s *stage) behind(ctx context.Context) (string, error) {
	parts, waiting, err := s.checker.ledger.partitions(ctx)
	if err != nil {
		return "", err
	}
	if waiting > 0 {
		return fmt.Sprintf("%d events in the outbox", waiting), nil
	}
	next := map[logPartition]int64{}
	for _, p := range parts {
		next[p.part] = p.next
	}
	ends, err := s.checker.tail.ends(ctx, "")
	if err != nil {
		return "", err
	}
	for p, end := range ends {
		if next[p] < end {
			return fmt.Sprintf("%s is archived to %d of %d", p, next[p], end), nil
		}
	}
	s.checker.tail.mu.Lock()
	defer s.checker.tail.mu.Unlock()
	if n := s.checker.tail.letters.owed(); n > 0 {
		return fmt.Sprintf("%d events have no dead letter yet", n), nil
	}
	return "", nil
}

// whole is how long the archive may take to be whole once the faults have stopped: what a killed archiver left undone in a
// topic that was deleted is done by another one, a while later.
const whole = time.Minute

// verify asks the product, too, until it finds nothing or has had its time.
func (s *stage) verify(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for end := time.Now().Add(whole); ; {
		faults, err := s.askVerify(ctx)
		if err != nil {
			return err
		}
		if len(faults) == 0 || time.Now().After(end) {
			for _, f := range faults {
				s.checker.found.add(breachVerify, "%s", f)
			}
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *stage) askVerify(ctx context.Context) ([]string, error) {
	cmd := exec.CommandContext(ctx, s.world.program, "archive", "verify", "--config", s.control.config, "-o", "json")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	runErr := cmd.Run()
	var r struct {
		Faults []string `json:"faults"`
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return nil, fmt.Errorf("signalbox archive verify: %w\n%s", errors.Join(runErr, err), said.String())
	}
	if runErr != nil && len(r.Faults) == 0 {
		return nil, fmt.Errorf("signalbox archive verify: %w\n%s", runErr, said.String())
	}
	return r.Faults, nil
}

// crashes looks for the last words of a program that died of itself.
func crashes(s *subject, out *findings) {
	log, err := os.ReadFile(s.log.Name())
	if err != nil {
		out.add(breachCrash, "%s: %v", s.name, err)
		return
	}
	for line := range bytes.Lines(log) {
		for _, sign := range []string{"panic: ", "fatal error: ", "WARNING: DATA RACE"} {
			if bytes.HasPrefix(line, []byte(sign)) {
				out.add(breachCrash, "%s: %.200s", s.name, bytes.TrimSpace(line))
			}
		}
	}
}
