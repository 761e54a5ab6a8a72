package pgcatalog_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
)

func viewed() ledger.Partition {
	return ledger.Partition{TopicID: uuid.NewSHA1(uuid.Nil, []byte("viewed")), Topic: "events.t"}
}

func view(location string, since int64) ledger.View {
	return ledger.View{TopicID: viewed().TopicID, Catalog: "signalbox", Namespace: "archive", Name: "t", Location: location, Since: since}
}

func claim(t *testing.T, c *pgcatalog.Catalog) ledger.Claim {
	t.Helper()
	cl, err := c.Ledger().Claim(t.Context(), viewed(), "me")
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// TestViews: a table is where the last move from where it was put it, and SQL catalogs see it there.
func TestViews(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	claim(t, db.Catalog)
	v := db.Catalog.Views()
	if got, err := v.View(t.Context(), viewed().TopicID); err != nil || got.Location != "" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, step := range []struct {
		next ledger.View
		from string
		err  error
		now  ledger.View
	}{
		{view("two", 1), "one", ledger.ErrViewMoved, ledger.View{TopicID: viewed().TopicID}},
		{view("one", 3), "", nil, view("one", 3)},
		{view("uno", 0), "", ledger.ErrViewMoved, view("one", 3)},
		{view("two", 5), "one", nil, view("two", 5)},
		{view("due", 9), "one", ledger.ErrViewMoved, view("two", 5)},
		{view("three", 4), "two", nil, view("three", 5)},
	} {
		if err := v.MoveView(t.Context(), step.next, step.from); !errors.Is(err, step.err) {
			t.Errorf("from %s to %s: %v, want %v", step.from, step.next.Location, err, step.err)
		}
		if got, err := v.View(t.Context(), viewed().TopicID); err != nil || got != step.now {
			t.Errorf("at %+v, %v, want %+v", got, err, step.now)
		}
	}
	const catalog = `SELECT concat_ws(' ', catalog_name, table_namespace, table_name, metadata_location, previous_metadata_location, iceberg_type)
		FROM iceberg_tables`
	if got := queryText(t, db.URL, catalog); got != "signalbox archive t three two TABLE" {
		t.Errorf("%s", got)
	}
	if got := queryText(t, db.URL, `SELECT concat_ws(' ', catalog_name, namespace, property_key) FROM iceberg_namespace_properties`); got != "signalbox archive exists" {
		t.Errorf("%s", got)
	}
}

// TestViewCut breaks the connection at COMMIT: the move is made once, and the caller notices nothing.
func TestViewCut(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	claim(t, db.Catalog)
	cat, p := behindProxy(t, db)
	from := ""
	for i, c := range []cut{noAnswer, noCommit, noAnswer, noAnswers} {
		p.hits.Store(0)
		p.next.Store(int32(c))
		to := strings.Repeat("x", i+1)
		if err := cat.Views().MoveView(t.Context(), view(to, 0), from); err != nil || p.hits.Load() == 0 {
			t.Errorf("cut %d: %v after %d cuts", c, err, p.hits.Load())
		}
		if got, err := db.Catalog.Views().View(t.Context(), viewed().TopicID); err != nil || got.Location != to {
			t.Errorf("cut %d: at %q, %v, want %q", c, got.Location, err, to)
		}
		from = to
	}
}

// TestViewReferences: files that were replaced after the oldest step that a view shows are referenced, until the table is dropped.
func TestViewReferences(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	l, v, cl := db.Catalog.Ledger(), db.Catalog.Views(), claim(t, db.Catalog)
	keys := []string{"a", "b", "c"}
	for i, key := range keys {
		at := int64(i)
		if _, err := l.Commit(t.Context(), ledger.Flush{Claim: cl, Start: at, End: at + 1, Records: 1, Reason: ledger.ReasonAge,
			Files: []ledger.File{{Key: key, Digest: sum(key), Rows: 1, Type: "t", Hour: time.Unix(0, 0), Start: at, End: at + 1}}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i, key := range keys[:2] { // a is replaced by step 4, b by step 5
		span := []ledger.Span{{Start: int64(i), End: int64(i + 1)}}
		if _, err := l.Swap(t.Context(), ledger.Swap{TopicID: viewed().TopicID, Topic: viewed().Topic, N: int64(i + 1), Kind: ledger.SwapCompact,
			Remove: []ledger.FileRef{{Key: key, Digest: sum(key), Rows: 1}},
			Add:    []ledger.File{{Key: key + key, Digest: sum(key + key), Rows: 1, Type: "t", End: int64(i + 1), Start: int64(i), Spans: span}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct{ do, want string }{
		{"", ""},
		{"3", "a b c"},
		{"4", "b c"},
		{"5", "c"},
		{"rename", "c"},
		{"drop", ""},
	} {
		switch step.do {
		case "":
		case "rename":
			queryText(t, db.URL, `UPDATE iceberg_tables SET table_name = 'other' RETURNING table_name::text`)
		case "drop":
			queryText(t, db.URL, `DELETE FROM iceberg_tables RETURNING table_name::text`)
		default:
			now, err := v.View(t.Context(), viewed().TopicID)
			if err != nil {
				t.Fatal(err)
			}
			if err := v.MoveView(t.Context(), view(step.do, int64(step.do[0]-'0')), now.Location); err != nil {
				t.Fatal(err)
			}
		}
		got, err := v.Referenced(t.Context(), keys)
		if list := strings.Join(slices.Sorted(maps.Keys(got)), " "); err != nil || list != step.want {
			t.Errorf("%q: %q, %v, want %q", step.do, list, err, step.want)
		}
	}
}
