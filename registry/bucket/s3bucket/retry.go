package s3bucket

import (
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// newRetryer is the only retry layer over S3. A conflict between conditional writes is no verdict: S3 asks for the
// whole upload again, which then ends in success or in "exists".
func newRetryer(attempts int) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.Backoff = retry.BackoffDelayerFunc(backoff)
		o.Retryables = append(o.Retryables, retry.RetryableErrorCode{
			Codes: map[string]struct{}{"ConditionalRequestConflict": {}, "OperationAborted": {}},
		})
	})
}

// backoff is 50 to 100 ms after the first attempt, doubles, and stays below 2 s. The SDK's own starts at a second, which
// a lost race of two writers does not deserve.
func backoff(attempt int, _ error) (time.Duration, error) {
	d := min(50*time.Millisecond<<min(attempt, 10), 2*time.Second)
	return d/2 + rand.N(d/2), nil
}
