package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}

// store is an object store that answers everything with 200, and remembers.
func store(t *testing.T, answer string) (url string, got chan string) {
	t.Helper()
	got = make(chan string, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.Method + " " + r.Host + r.URL.RequestURI() + " " + string(body)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(s.Close)
	return s.URL, got
}

func ask(t *testing.T, p *proxy, method, path, body string) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.endpoint()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return err
}

// The object is in the store when the archiver dies, and the archiver was never told.
func TestProxyHoldsTheAnswerThatItAimsAt(t *testing.T) {
	url, got := store(t, "")
	p, err := newProxy(url, "b", parquetFile, &aim{key: parquetFile, nth: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for _, r := range []struct{ method, path string }{
		{"PUT", "/b/a/1.parquet"}, {"PUT", "/b/a/1.json"}, {"GET", "/b/a/1.parquet"}, {"POST", "/b/a/2.parquet?uploads="}, {"PUT", "/b/a/2.parquet?partNumber=1&uploadId=u"},
	} {
		if err := ask(t, p, r.method, r.path, "content"); err != nil {
			t.Fatal(err)
		}
		if want := r.method + " " + strings.TrimPrefix(p.endpoint(), "http://") + r.path + " content"; <-got != want {
			t.Errorf("the store did not get %s", want)
		}
	}
	select {
	case <-p.hit:
		t.Fatal("something else than the second file hit")
	default:
	}
	answered := make(chan error)
	go func() { answered <- ask(t, p, "POST", "/b/a/2.parquet?uploadId=u", "<Complete/>") }()
	<-p.hit
	if stored := <-got; !strings.HasPrefix(stored, "POST ") {
		t.Errorf("the store has %s", stored)
	}
	select {
	case err := <-answered:
		t.Fatal("answered before the archiver is dead:", err)
	default:
	}
	close(p.dead)
	if err := <-answered; err == nil {
		t.Error("the archiver was told after all")
	}
	if n, first := p.progress(); n != 2 || first.IsZero() {
		t.Errorf("%d objects, first at %s", n, first)
	}
}

// A multipart upload that fails does so with a 200.
func TestProxyKnowsFailedUploads(t *testing.T) {
	url, _ := store(t, "<Error><Code>InternalError</Code></Error>")
	p, err := newProxy(url, "b", parquetFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if err := ask(t, p, "POST", "/b/1.parquet?uploadId=u", ""); err != nil {
		t.Fatal(err)
	}
	if n, _ := p.progress(); n != 0 {
		t.Error("counts as an object")
	}
}

// What was seen first of the object and the commit is the recovery.
func TestRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lives{victim: &victim{deaths: []death{{}, {rows: 10, partition: 1}}}, died: time.Now()}
		time.Sleep(5 * time.Second)
		p := &proxy{data: parquetFile}
		p.note("1.parquet")
		time.Sleep(time.Second)
		l.revived(t.Context(), 10)
		l.recovered(p)
		if d := l.victim.deaths[1]; d.recovery != 5*time.Second {
			t.Errorf("no commit, an object after 5 s: %s", d.recovery)
		}
		l.victim.deaths[1].recovery = 0
		time.Sleep(time.Second)
		l.revived(t.Context(), 11)
		l.recovered(&proxy{})
		if d := l.victim.deaths[1]; d.recovery != 7*time.Second {
			t.Errorf("a commit after 7 s: %s", d.recovery)
		}
	})
}
