package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"

	"github.com/signalbox-ml/signalbox/registry/remote"
)

// complain says on stderr why a command failed, and returns the exit code.
func (s *session) complain(err error) int {
	lines := strings.Split(describe(err), "\n")
	for i, l := range lines {
		lines[i] = plain(l)
	}
	fmt.Fprintln(s.stderr, "signalbox: "+strings.Join(lines, "\n"))
	return 1
}

// describe puts an error into words. An answer of the server is one line: its title, its detail and each pointer.
func describe(err error) string {
	var refused *remote.Error
	if errors.As(err, &refused) {
		return strings.ReplaceAll(strings.Replace(err.Error(), refused.Error(), refusal(refused), 1), "\n", "; ")
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.Is(err, syscall.ECONNREFUSED):
		return err.Error() + ": is the stack still running?"
	}
	return err.Error()
}

func refusal(e *remote.Error) string {
	text := fmt.Sprintf("%d %s", e.Status, e.Title)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	for _, f := range faultsOf(e) {
		if !strings.Contains(e.Detail, f.Pointer+": "+f.Detail) { // some details are the list in words
			text += "; " + f.Pointer + ": " + f.Detail
		}
	}
	if e.Status == http.StatusUnauthorized {
		text += ": set SIGNALBOX_TOKEN or --token"
	}
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// fault is one member of a problem's errors.
type fault struct {
	Pointer string `json:"pointer"` // JSON pointer into the request
	Detail  string `json:"detail"`
}

func faultsOf(e *remote.Error) []fault {
	var doc struct{ Errors []fault }
	if json.Unmarshal(e.Body, &doc) != nil {
		return nil // a problem of another shape: its detail has to do
	}
	return doc.Errors
}
