package raybackend

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// errNoText reports an answer that is not {"logs":"..."}.
var errNoText = errors.New("ray: not a log of the jobs API")

// textReader reads the text in {"logs":"..."} as it comes: a log may have gigabytes.
type textReader struct {
	in   *bufio.Reader
	buf  [utf8.UTFMax]byte
	left []byte // decoded, for the next Read
	err  error
}

func newTextReader(r io.Reader) (*textReader, error) {
	t := &textReader{in: bufio.NewReader(r)}
	for i, want := range []byte(`{"logs":"`) {
		c, err := t.in.ReadByte()
		for err == nil && strings.IndexByte("01789", byte('0'+i)) >= 0 && strings.IndexByte(" \t\r\n", c) >= 0 {
			c, err = t.in.ReadByte() // blanks may stand around punctuation, not in the name
		}
		if err != nil || c != want {
			return nil, errors.Join(errNoText, err)
		}
	}
	return t, nil
}

// Read implements io.Reader. An answer that ends before its text does is io.ErrUnexpectedEOF.
func (t *textReader) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && t.err == nil && (n == 0 || len(t.left) > 0 || t.in.Buffered() > 0) {
		if len(t.left) == 0 {
			t.left, t.err = t.next()
		}
		k := copy(p[n:], t.left)
		n, t.left = n+k, t.left[k:]
	}
	if n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, t.err
}

// next decodes one character; io.EOF behind the last.
func (t *textReader) next() ([]byte, error) {
	c, err := t.in.ReadByte()
	switch {
	case err != nil:
		return nil, unexpected(err)
	case c == '"':
		return nil, io.EOF
	case c == '\\':
		return t.escape()
	}
	t.buf[0] = c
	return t.buf[:1], nil
}

func (t *textReader) escape() ([]byte, error) {
	c, err := t.in.ReadByte()
	if err != nil {
		return nil, unexpected(err)
	}
	if c == 'u' {
		r, err := t.unicode()
		return utf8.AppendRune(t.buf[:0], r), err
	}
	const names, values = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	i := strings.IndexByte(names, c)
	if i < 0 {
		return nil, fmt.Errorf("%w: escape %q", errNoText, c)
	}
	t.buf[0] = values[i]
	return t.buf[:1], nil
}

// unicode reads the four digits of an escape, and the other half of a character that takes two.
func (t *textReader) unicode() (rune, error) {
	r, err := t.digits()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if ahead, err := t.in.Peek(2); err != nil || string(ahead) != `\u` {
		return utf8.RuneError, nil //nolint:nilerr // a half character at the end is told as one that cannot be read
	}
	ahead, err := t.in.Peek(6)
	if err != nil {
		return 0, unexpected(err)
	}
	low, err := strconv.ParseUint(string(ahead[2:]), 16, 16)
	if err != nil {
		return 0, fmt.Errorf("%w: escape %q", errNoText, ahead)
	}
	both := utf16.DecodeRune(r, rune(low))
	if both == utf8.RuneError {
		return utf8.RuneError, nil // the second is a character of its own
	}
	_, err = t.in.Discard(6)
	return both, err
}

func (t *textReader) digits() (rune, error) {
	var b [4]byte
	if _, err := io.ReadFull(t.in, b[:]); err != nil {
		return 0, unexpected(err)
	}
	v, err := strconv.ParseUint(string(b[:]), 16, 16)
	if err != nil {
		return 0, fmt.Errorf("%w: escape %q", errNoText, b)
	}
	return rune(v), nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
