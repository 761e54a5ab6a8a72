package cas

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
)

// verifier reads a blob and hashes what it passes on. It withholds the read that completes the blob until the sum is
// right: a caller that reads exactly d.Size bytes and never asks for io.EOF cannot miss the verdict.
type verifier struct {
	src  io.ReadCloser
	want Descriptor
	left int64
	sum  hash.Hash
	err  error // what every later Read returns
}

func newVerifier(src io.ReadCloser, d Descriptor) *verifier {
	return &verifier{src: src, want: d, left: d.Size, sum: sha256.New()}
}

// Read implements io.Reader.
func (v *verifier) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if v.left == 0 { // an empty blob; others were judged with their last byte
		v.err = v.verdict(nil)
		return 0, v.err
	}
	n, err := v.src.Read(p[:min(int64(len(p)), v.left)])
	v.sum.Write(p[:n])
	v.left -= int64(n)
	switch {
	case v.left == 0:
		if v.err = v.verdict(err); !errors.Is(v.err, io.EOF) {
			clear(p[:n])
			return 0, v.err
		}
		return n, nil
	case errors.Is(err, io.EOF): // a broken connection is io.ErrUnexpectedEOF: no verdict on the blob
		v.err = fmt.Errorf("read %s: %d bytes are missing: %w", v.want.Digest, v.left, ErrCorrupt)
		return n, v.err
	case err != nil:
		v.err = fmt.Errorf("read %s: %w", v.want.Digest, err)
		return n, v.err
	}
	return n, nil
}

// Close implements io.Closer.
func (v *verifier) Close() error { return v.src.Close() }

// verdict is io.EOF for a whole blob. It is called with all bytes read and the error that came with the last of them.
func (v *verifier) verdict(last error) error {
	if Digest(v.sum.Sum(nil)) != v.want.Digest {
		return fmt.Errorf("read %s: the bytes hash to %s: %w", v.want.Digest, Digest(v.sum.Sum(nil)), ErrCorrupt)
	}
	if last == nil {
		_, last = io.ReadFull(v.src, make([]byte, 1))
	}
	switch {
	case last == nil:
		return fmt.Errorf("read %s: there are more than %d bytes: %w", v.want.Digest, v.want.Size, ErrCorrupt)
	case errors.Is(last, io.EOF):
		return io.EOF
	}
	return fmt.Errorf("read %s: %w", v.want.Digest, last)
}
