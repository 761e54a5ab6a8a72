package main

import (
	"context"
	"errors"
	"time"

	"github.com/signalbox-ml/signalbox/events/kafka"
)

// Servers that are started together come up in any order, and a broker takes a while to come back. Beyond that somebody
// has to look: the process ends with the error.
const (
	startPatience = time.Minute
	startPause    = time.Second
)

// patiently makes a call until it succeeds, for as long as waiting may help. What this process brings up itself is there.
func (a *app) patiently(ctx context.Context, server string, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	tick := time.NewTicker(startPause)
	defer tick.Stop()
	for {
		err := call(ctx)
		if err == nil || a.embedded || errors.Is(err, kafka.ErrSecurity) || ctx.Err() != nil {
			return err
		}
		a.log.WarnContext(ctx, "server is not there yet", "server", server, "error", err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}
