package e2e_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// forward makes a server of the loopback address reachable at host, and returns its URL there.
func forward(t *testing.T, host, url string) string {
	t.Helper()
	to := strings.TrimPrefix(url, "http://")
	if strings.HasPrefix(to, host+":") {
		return url
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { splice(in, to) })
		}
	})
	return "http://" + l.Addr().String()
}

// splice joins a connection with another one until either ends.
func splice(in net.Conn, to string) {
	defer in.Close()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	go func() {
		_, _ = io.Copy(out, in)
		_ = out.Close() // ends the copy below
	}()
	_, _ = io.Copy(in, out)
}
