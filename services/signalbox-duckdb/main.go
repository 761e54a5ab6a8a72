//go:build cgo

// Command signalbox-duckdb builds one dataset: it reads a request as JSON from standard input, writes the reply as JSON to
// standard output, and ends. It is a program of its own because DuckDB needs cgo and much memory; package procengine runs
// it. Standard input must stay open until the reply: its end means that the parent is gone.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/signalbox-ml/signalbox/consumers/generate"
	"github.com/signalbox-ml/signalbox/consumers/generate/duckengine"
)

// errOrphan is why a build ends early.
var errOrphan = errors.New("standard input was closed before the end of the build: the parent is gone")

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	request, err := receive(os.Stdin)
	if err == nil {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // returns when the parent closes it or dies
			cancel(errOrphan)
		}()
	}
	reply := generate.Reply{}
	if err == nil {
		reply, err = build(ctx, request)
	}
	if err != nil {
		reply.Error = fault(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(reply); err != nil {
		fmt.Fprintln(os.Stderr, "write the reply:", err)
		os.Exit(1)
	}
	if reply.Error != nil {
		os.Exit(1)
	}
}

func receive(in io.Reader) (generate.Request, error) {
	var r generate.Request
	dec := json.NewDecoder(in)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return r, fmt.Errorf("read a request from standard input: %w", err)
	}
	return r, nil
}

func build(ctx context.Context, r generate.Request) (generate.Reply, error) {
	res, err := duckengine.Engine{}.Build(ctx, r)
	if err != nil {
		return generate.Reply{}, err
	}
	return generate.Reply{Result: &res}, nil
}

func fault(err error) *generate.EngineError {
	var e *generate.EngineError
	if errors.As(err, &e) {
		return e
	}
	return &generate.EngineError{Kind: generate.KindInternal, Message: err.Error()}
}
