package main

import (
	"context"
	"crypto/sha256"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

// strayEvery is how often somebody writes straight to Kafka what the stream does not declare.
const strayEvery = 300 * time.Millisecond

// strayProducer goes around ingest with data that breaks the schema. Each such event must become a dead letter.
type strayProducer struct {
	broker string
	acks   *ackLog
	seq    int
}

const strayName = "s"

// run begins nothing new when more ends, and gives up what it has begun when work ends.
func (p *strayProducer) run(more, work context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.broker), kgo.ClientID("chaos-stray"), kgo.MetadataMinAge(250*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	defer context.AfterFunc(work, cl.Close)()
	return every(more, strayEvery, func() error {
		recs, ids, err := batchOf(strayName, &p.seq, 2, tickStream) // of types that the stream does not declare
		if err != nil {
			return err
		}
		recs[0].Headers = append(recs[0].Headers, kgo.RecordHeader{Key: "again"}, kgo.RecordHeader{Key: "again", Value: []byte{}})
		if cl.ProduceSync(work, recs...).FirstErr() == nil {
			p.acks.add("stray", "", ids...)
		}
		return nil
	})
}

// place is where a record stands.
type place struct {
	part   logPartition
	offset int64
}

// letters holds dead letters against the records that they are copies of. The tail owns it.
type letters struct {
	strays map[place][sha256.Size]byte
	read   map[place][sha256.Size]byte // letters by what they say is their original
}

func newLetters() letters {
	return letters{strays: map[place][sha256.Size]byte{}, read: map[place][sha256.Size]byte{}}
}

const letterPrefix = "sb_dlq_"

// see notes a stray event or a dead letter of one.
func (l letters) see(p logPartition, offset int64, key, value []byte, headers []events.RecordHeader) {
	if !strings.HasSuffix(p.topic, ".dlq") {
		for _, h := range headers {
			if h.Key == "ce_id" && strings.HasPrefix(string(h.Value), strayName+"-") {
				l.strays[place{p, offset}] = sumOf(key, value, headers, time.Time{})
			}
		}
		return
	}
	own := len(headers)
	said := map[string]string{}
	for i, h := range headers {
		if name, ok := strings.CutPrefix(h.Key, letterPrefix); ok {
			own, said[name] = min(own, i), string(h.Value)
		}
	}
	n, _ := strconv.ParseInt(said["partition"], 10, 32) // what cannot be read is of no record
	at, err := strconv.ParseInt(said["offset"], 10, 64)
	if err != nil {
		at = -1
	}
	of := place{logPartition{strings.ReplaceAll(said["topic_id"], "-", ""), said["topic"], int32(n)}, at}
	l.read[of] = sumOf(key, value, headers[:own], time.Time{})
}

// owed is how many strays have no letter yet.
func (l letters) owed() (n int) {
	for at := range l.strays {
		if _, ok := l.read[at]; !ok {
			n++
		}
	}
	return n
}

// judge wants each letter to be its original, and at the end a letter for each stray.
func (l letters) judge(atEnd bool, out *findings) {
	for of, sum := range l.read {
		original, ok := l.strays[of]
		if !ok && !atEnd {
			continue // it may be read later
		}
		if original != sum {
			out.add(breachLetter, "of %s, offset %d: it is not what stands there", of.part, of.offset)
		}
	}
	for at := range l.strays {
		if _, ok := l.read[at]; atEnd && !ok {
			out.add(breachLetter, "none of %s, offset %d", at.part, at.offset)
		}
	}
}
