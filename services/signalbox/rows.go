package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxRows bounds what is read of a file of rows, in bytes: one request takes no more.
const maxRows = 1 << 20

func (s *session) rows(file string, members []string) ([]json.RawMessage, error) {
	if file == "" {
		row, err := rowOf(members)
		return []json.RawMessage{row}, err
	}
	if len(members) > 0 {
		return nil, errors.New("rows come from --file or from NAME=VALUE, not from both")
	}
	in, closer, err := s.open(file)
	if err != nil {
		return nil, err
	}
	defer closer()
	b, err := io.ReadAll(io.LimitReader(in, maxRows+1))
	if err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	if len(b) > maxRows {
		return nil, fmt.Errorf("%s has more than %d bytes, which is all that one request takes: split it", file, maxRows)
	}
	rows, err := readRows(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return rows, nil
}

// readRows reads an array of objects, {"rows": […]}, or one object after another.
func readRows(b []byte) ([]json.RawMessage, error) {
	var request struct {
		Rows []json.RawMessage `json:"rows"`
	}
	if json.Unmarshal(b, &request) == nil && len(request.Rows) > 0 {
		return request.Rows, nil
	}
	r, err := newObjectReader(bytes.NewReader(b), "row")
	if err != nil {
		return nil, err
	}
	var rows []json.RawMessage
	for {
		row, err := r.next()
		if errors.Is(err, io.EOF) && len(rows) > 0 {
			return rows, nil
		}
		if errors.Is(err, io.EOF) {
			return nil, errors.New("there are no rows in it")
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
}

// rowOf makes a row of NAME=VALUE.
func rowOf(members []string) (json.RawMessage, error) {
	row := map[string]json.RawMessage{}
	for _, m := range members {
		name, value, ok := strings.Cut(m, "=")
		_, twice := row[name]
		switch {
		case !ok || name == "":
			return nil, fmt.Errorf("%q: want NAME=VALUE, such as distance=719", m)
		case twice:
			return nil, fmt.Errorf("%s is there twice", name)
		}
		row[name] = valueOf(value)
	}
	if len(row) == 0 {
		return nil, errors.New("there is nothing to predict for: name a file with -f, or give a row with --row NAME=VALUE …")
	}
	return json.Marshal(row)
}

// valueOf reads a JSON scalar; what is none is text.
func valueOf(text string) json.RawMessage {
	if trimmed := strings.TrimSpace(text); trimmed == text && text != "" && text[0] != '{' && text[0] != '[' && json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	b, err := json.Marshal(text)
	if err != nil {
		return json.RawMessage(`""`) // no string fails
	}
	return b
}
