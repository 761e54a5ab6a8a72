package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// ReadBody reads at most limit bytes of the body; more is a 413.
func ReadBody(r *http.Request, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, Faultf(http.StatusBadRequest, "malformed", "the body ended early: send it again")
	}
	if int64(len(b)) > limit {
		return nil, Faultf(http.StatusRequestEntityTooLarge, "too_large", "the body is larger than %d bytes", limit)
	}
	return b, nil
}

// ReadJSON decodes a body of at most limit bytes. Unknown members and trailing bytes are refused, so that a misspelt member
// is an error and not a silent default; so is U+0000 in any text.
func ReadJSON[T any](r *http.Request, limit int64) (T, error) {
	var v T
	b, err := ReadBody(r, limit)
	if err != nil {
		return v, err
	}
	if HoldsNUL(b) {
		return v, BadText()
	}
	return v, decode(b, &v)
}

func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return Fault(http.StatusBadRequest, "malformed", jsonFault(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Fault(http.StatusBadRequest, "malformed", "the body has bytes after the JSON document")
	}
	return nil
}

func jsonFault(err error) string {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("the body is not JSON: %v at byte %d", syntax, syntax.Offset)
	case errors.As(err, &typ):
		return fmt.Sprintf("/%s: want %s, got %s", typ.Field, typ.Type, typ.Value)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the body is not a whole JSON document"
	}
	return "the body is not the expected JSON: " + err.Error()
}

// JSON answers with v.
func JSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return Bytes(w, status, "application/json", append(b, '\n'))
}

// Bytes answers with b as it is. A client that went away is no error of ours.
func Bytes(w http.ResponseWriter, status int, contentType string, b []byte) error {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(b)
	return nil
}
