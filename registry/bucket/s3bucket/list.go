package s3bucket

import (
	"context"
	"fmt"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

// List implements bucket.Bucket. It asks for a page of up to 1000 objects at a time.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[bucket.Attrs, error] {
	return func(yield func(bucket.Attrs, error) bool) {
		in := &s3.ListObjectsV2Input{Bucket: &b.cfg.Bucket, Prefix: &prefix}
		for {
			out, err := b.client.ListObjectsV2(ctx, in)
			if err != nil {
				yield(bucket.Attrs{}, fmt.Errorf("list %s: %w", prefix, mapError(err)))
				return
			}
			for _, o := range out.Contents {
				a := bucket.Attrs{Key: aws.ToString(o.Key), Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)}
				if !yield(a, nil) {
					return
				}
			}
			if !aws.ToBool(out.IsTruncated) {
				return
			}
			in.ContinuationToken = out.NextContinuationToken
		}
	}
}
