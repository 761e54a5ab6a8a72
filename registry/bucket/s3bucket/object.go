package s3bucket

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

// Get implements bucket.Bucket. Attrs.SHA256 is zero: the SDK would hash every byte to fill it, and cas does so anyway.
func (b *Bucket) Get(ctx context.Context, key string, r bucket.Range) (io.ReadCloser, bucket.Attrs, error) {
	if err := bucket.CheckKey(key); err != nil {
		return nil, bucket.Attrs{}, fmt.Errorf("get: %w", err)
	}
	if r.Offset < 0 || r.Length < 0 {
		return nil, bucket.Attrs{}, fmt.Errorf("get %s: %w", key, bucket.ErrBadRange)
	}
	in := &s3.GetObjectInput{Bucket: &b.cfg.Bucket, Key: &key}
	if r != (bucket.Range{}) {
		in.Range = aws.String(rangeHeader(r))
	}
	out, err := b.client.GetObject(ctx, in)
	if err != nil {
		return nil, bucket.Attrs{}, fmt.Errorf("get %s: %w", key, mapError(err))
	}
	size, err := fullSize(out, in.Range != nil)
	if err != nil {
		return nil, bucket.Attrs{}, fmt.Errorf("get %s: %w", key, errors.Join(err, out.Body.Close()))
	}
	return out.Body, bucket.Attrs{Key: key, Size: size, Modified: aws.ToTime(out.LastModified)}, nil
}

// Stat implements bucket.Bucket.
func (b *Bucket) Stat(ctx context.Context, key string) (bucket.Attrs, error) {
	if err := bucket.CheckKey(key); err != nil {
		return bucket.Attrs{}, fmt.Errorf("stat: %w", err)
	}
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: &b.cfg.Bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled,
	})
	if err != nil {
		return bucket.Attrs{}, fmt.Errorf("stat %s: %w", key, mapError(err))
	}
	a := bucket.Attrs{Key: key, Size: aws.ToInt64(out.ContentLength), Modified: aws.ToTime(out.LastModified)}
	if out.ChecksumType != types.ChecksumTypeComposite { // the hash of part hashes says nothing about the bytes
		a.SHA256 = parseSum(aws.ToString(out.ChecksumSHA256))
	}
	return a, nil
}

// Put implements bucket.Bucket. A create-only Put whose answer was lost is sent again and then finds its own object:
// ErrExists means that the key is taken, not by whom.
func (b *Bucket) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, o bucket.PutOptions) (bucket.Attrs, error) {
	attrs, err := b.put(ctx, key, body, size, o)
	if err != nil {
		return bucket.Attrs{}, fmt.Errorf("put %s: %w", key, err)
	}
	return attrs, nil
}

func (b *Bucket) put(ctx context.Context, key string, body io.ReadSeeker, size int64, o bucket.PutOptions) (bucket.Attrs, error) {
	if err := bucket.CheckKey(key); err != nil {
		return bucket.Attrs{}, err
	}
	if err := checkSize(body, size); err != nil {
		return bucket.Attrs{}, err
	}
	in := &s3.PutObjectInput{
		Bucket: &b.cfg.Bucket, Key: &key, Body: body, ContentLength: &size, ContentType: aws.String("application/octet-stream"),
	}
	if o.ContentType != "" {
		in.ContentType = &o.ContentType
	}
	if o.CreateOnly {
		in.IfNoneMatch = aws.String("*")
	}
	var opts []func(*s3.Options)
	if o.SHA256 != [32]byte{} {
		in.ChecksumSHA256 = aws.String(base64.StdEncoding.EncodeToString(o.SHA256[:]))
		opts = append(opts, withPayloadHash(o.SHA256))
	}
	if _, err := b.client.PutObject(ctx, in, opts...); err != nil {
		return bucket.Attrs{}, mapError(err)
	}
	return bucket.Attrs{Key: key, Size: size, SHA256: o.SHA256}, nil
}

// Delete implements bucket.Bucket.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := bucket.CheckKey(key); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.cfg.Bucket, Key: &key})
	if err = mapError(err); err != nil && !errors.Is(err, bucket.ErrNotFound) {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}

var errNoRange = errors.New("the server ignored the range of a read")

func rangeHeader(r bucket.Range) string {
	if r.Length == 0 {
		return fmt.Sprintf("bytes=%d-", r.Offset)
	}
	return fmt.Sprintf("bytes=%d-%d", r.Offset, r.Offset+r.Length-1)
}

// fullSize is the size of the object, of which the answer may hold a range: "bytes 0-9/100".
func fullSize(out *s3.GetObjectOutput, ranged bool) (int64, error) {
	if !ranged {
		return aws.ToInt64(out.ContentLength), nil
	}
	_, total, ok := strings.Cut(aws.ToString(out.ContentRange), "/")
	if !ok {
		return 0, errNoRange
	}
	n, err := strconv.ParseInt(total, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("content range %q: %w", aws.ToString(out.ContentRange), errNoRange)
	}
	return n, nil
}

// checkSize compares what is left of body with size: net/http would send the first size bytes of a longer one.
func checkSize(body io.ReadSeeker, size int64) error {
	at, err := body.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("measure the body: %w", err)
	}
	end, err := body.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("measure the body: %w", err)
	}
	if end-at != size {
		return fmt.Errorf("the body has %d bytes, want %d: %w", end-at, size, io.ErrUnexpectedEOF)
	}
	if _, err = body.Seek(at, io.SeekStart); err != nil {
		return fmt.Errorf("rewind the body: %w", err)
	}
	return nil
}

// parseSum reads a checksum header; what is no SHA-256 is unknown.
func parseSum(s string) [32]byte {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != 32 {
		return [32]byte{}
	}
	return [32]byte(b)
}
