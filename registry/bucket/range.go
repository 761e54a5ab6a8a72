package bucket

import "fmt"

// Within returns the bytes [start, end) of an object of size bytes that r selects: a Length past the end is clipped, an
// Offset at or past the end is ErrBadRange. The zero Range of an empty object is empty.
func (r Range) Within(size int64) (start, end int64, err error) {
	if r == (Range{}) {
		return 0, size, nil
	}
	if r.Offset < 0 || r.Length < 0 || r.Offset >= size {
		return 0, 0, fmt.Errorf("offset %d, length %d of %d bytes: %w", r.Offset, r.Length, size, ErrBadRange)
	}
	if r.Length == 0 || r.Length > size-r.Offset {
		return r.Offset, size, nil
	}
	return r.Offset, r.Offset + r.Length, nil
}
