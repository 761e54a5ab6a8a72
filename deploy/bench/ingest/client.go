package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// patience bounds one request: longer than any server here takes to answer.
const patience = 30 * time.Second

// client is one kept-alive connection. It belongs to one goroutine.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	req  *request
}

// answer is what a server said.
type answer struct {
	status  int
	wait    bool // it carries Retry-After
	results []result
}

// result is what became of one event of a batch that was taken in part.
type result struct {
	ID     string `json:"id"`
	Status int    `json:"status"`
}

func dial(addr string, req *request) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, in: bufio.NewReaderSize(conn, 16<<10), req: req}, nil
}

// do sends the request with ids from first on.
func (c *client) do(first int64) (answer, error) {
	c.req.number(first)
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return answer{}, err
	}
	if _, err := c.conn.Write(c.req.text); err != nil {
		return answer{}, err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: resp.StatusCode, wait: resp.Header.Get("Retry-After") != ""}
	if a.status == http.StatusMultiStatus {
		var body struct{ Results []result }
		err = json.NewDecoder(resp.Body).Decode(&body)
		a.results = body.Results
	}
	_, drained := io.Copy(io.Discard, resp.Body)
	if err := errors.Join(err, drained, resp.Body.Close()); err != nil {
		return a, fmt.Errorf("answer %d: %w", a.status, err)
	}
	if resp.Close {
		return a, errClosing
	}
	return a, nil
}

// errClosing says that the answer is whole and the connection is not to be used again.
var errClosing = errors.New("the server closes the connection")

func (c *client) close() { _ = c.conn.Close() } // nothing is on its way
