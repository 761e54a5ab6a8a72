//go:build linux

package cluster

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/kube/internal/pki"
)

// client asks the API server the few questions that readiness consists of.
type client struct {
	server, token string
	http          *http.Client
}

func newClient(server string, ca *pki.Authority, u pki.User) *client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS13}, DisableKeepAlives: true}
	return &client{server: server, token: u.Token, http: &http.Client{Transport: transport, Timeout: 5 * time.Second}}
}

// get reads an object into v, which may be nil.
func (c *client) get(ctx context.Context, path string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %.300s", path, resp.Status, body)
	}
	if v == nil {
		return nil
	}
	return json.Unmarshal(body, v)
}

func (c *client) isReady(ctx context.Context) error { return c.get(ctx, "/readyz", nil) }

// hasServiceAccount waits for the controllers: without it no pod is admitted.
func (c *client) hasServiceAccount(ctx context.Context) error {
	return c.get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", nil)
}

// nodeIsReady reports a node that takes pods: ready, and no longer tainted as one that is not.
func (c *client) nodeIsReady(ctx context.Context) error {
	var node struct {
		Spec struct {
			Taints []struct{ Key string }
		}
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := c.get(ctx, "/api/v1/nodes/"+nodeName, &node); err != nil {
		return err
	}
	for _, cond := range node.Status.Conditions {
		if cond.Type == "Ready" && cond.Status == "True" {
			if len(node.Spec.Taints) > 0 {
				return fmt.Errorf("it is tainted %s", node.Spec.Taints[0].Key)
			}
			return nil
		}
	}
	return errors.New("it is not ready")
}

// await asks until the answer is yes. When it gives up, it tells the last answer and the last words of the program that
// is to blame.
func (c *cluster) await(ctx context.Context, what, program string, ask func(context.Context) error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (%v); %s said:\n%s", what, context.Cause(ctx), last, program, c.lastWords(program))
		case <-tick.C:
		}
	}
}

func (c *cluster) lastWords(program string) string {
	for _, child := range c.children {
		if child.Name() == program {
			return child.Tail()
		}
	}
	return ""
}
