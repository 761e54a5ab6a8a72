package child

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// tries bounds how often Serve starts over because somebody else has the port.
const tries = 5

// Server is a program that listens on one address.
type Server struct {
	// Command is what to run for it to listen on addr.
	Command func(addr string) Config
	// Health is the path, below http://addr, that answers 200 when the server is ready.
	Health string
}

// Serve starts s on addr and returns when it is ready, with the address it has. Port 0 means a free one. A port that
// somebody else took in between, or that a dying predecessor still holds, is tried again a few times.
func Serve(ctx context.Context, s Server, addr string) (*Process, string, error) {
	for n := 1; ; n++ {
		p, on, err := serve(ctx, s, addr)
		if err == nil {
			return p, on, nil
		}
		if n == tries || !portTaken(err) || !pause(ctx, 300*time.Millisecond) {
			return nil, "", fmt.Errorf("serve on %s: %w", addr, err)
		}
	}
}

func serve(ctx context.Context, s Server, addr string) (*Process, string, error) {
	on, err := resolve(addr)
	if err != nil {
		return nil, "", err
	}
	p, err := Start(s.Command(on))
	if err != nil {
		return nil, "", err
	}
	if err = p.ready(ctx, "http://"+on+s.Health); err == nil {
		return p, on, nil
	}
	if stopErr := p.Stop(context.WithoutCancel(ctx)); stopErr != nil {
		err = stopErr // how it ended says more than the probe that found nobody
	}
	return nil, "", err
}

// ready polls url until it answers 200, the child ends or ctx ends.
func (p *Process) ready(ctx context.Context, url string) error {
	probing, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // a stranger on the port may never answer: the end of the child must end the probe
		select {
		case <-p.done:
			cancel()
		case <-probing.Done():
		}
	}()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}
	for {
		err := probe(probing, client, url)
		if err == nil {
			return nil
		}
		if pause(probing, 20*time.Millisecond) {
			continue
		}
		if ctx.Err() == nil {
			return p.Err()
		}
		return fmt.Errorf("not ready: %w (%w); its last words: %s", context.Cause(ctx), err, p.out)
	}
}

func probe(ctx context.Context, client *http.Client, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	return nil
}

// resolve replaces port 0 by one that is free now. A fixed port is tried as well: a stranger there might answer the
// probe before the child has found out that it cannot have the port.
func resolve(addr string) (string, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// portTaken sees the fault in the child's words, too.
func portTaken(err error) bool { return strings.Contains(err.Error(), "in use") }

// pause reports whether d passed before ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
