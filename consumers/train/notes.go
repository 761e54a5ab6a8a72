package train

import (
	"context"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
)

// noteAfter is how long a run waits before its history says why: most wait for less than a look.
const noteAfter = 3 * time.Second

// maxNotes bounds the notes of one look: each is a transaction, and thousands may begin to wait at once.
const maxNotes = 20

// notes are the reasons why runs wait, on their way into histories.
type notes struct {
	background
	busy  bool               // earlier notes were being written when this look began
	known map[Attempt]string // what histories say
	next  []note             // of this look
	kept  []note             // what was written in the background
}

type note struct {
	at  Attempt
	why string
}

// note has it kept in the run's history why it waits, once for each reason. While earlier notes are being written nobody knows
// what histories say: a later look finds the same reasons.
func (m *Machine) note(run registry.Run, why string) {
	at := Attempt{run.ID, run.Attempt}
	if !m.notes.busy && len(m.notes.next) < maxNotes && m.notes.known[at] != why && time.Since(run.Updated) >= noteAfter {
		m.notes.next = append(m.notes.next, note{at, why})
	}
}

// writeNotes writes the notes of this look.
func (m *Machine) writeNotes(ctx context.Context) {
	n := &m.notes
	next := n.next
	n.next = nil
	if len(next) == 0 {
		return
	}
	n.do(func() {
		for _, w := range next {
			if _, err := m.cfg.Runs.NoteRun(ctx, w.at.Run, w.at.N, w.why); ignoreMoved(err) != nil {
				m.cfg.Log.WarnContext(ctx, "reason not kept", "run_id", w.at.Run, "error", err)
				continue
			}
			n.kept = append(n.kept, w)
		}
	})
}

// readNotes learns which notes were kept. With all runs that wait at hand it forgets the others.
func (m *Machine) readNotes(active []registry.Run, all bool) {
	n := &m.notes
	n.busy = !n.idle()
	if !n.busy {
		for _, w := range n.kept {
			n.known[w.at] = w.why
		}
		n.kept = nil
	}
	if !all || len(n.known) == 0 {
		return
	}
	waits := map[Attempt]bool{}
	for _, run := range active {
		waits[Attempt{run.ID, run.Attempt}] = true
	}
	for at := range n.known {
		if !waits[at] {
			delete(n.known, at)
		}
	}
}
