package s3bucket

import (
	"errors"
	"net/http"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/signalbox-ml/signalbox/registry/bucket"
)

// mapError turns the answers that have a meaning in the contract into its sentinels; others keep the SDK's words.
func mapError(err error) error {
	switch c := code(err); c {
	case "NoSuchKey", "NotFound":
		return bucket.ErrNotFound
	case "PreconditionFailed":
		return bucket.ErrExists
	case "InvalidRange":
		return bucket.ErrBadRange
	case "BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch":
		return bucket.ErrChecksum
	case "NoSuchBucket": // a 404, but the fault of the configuration
		return err
	}
	switch status(err) {
	case http.StatusNotFound:
		return bucket.ErrNotFound
	case http.StatusPreconditionFailed:
		return bucket.ErrExists
	case http.StatusRequestedRangeNotSatisfiable:
		return bucket.ErrBadRange
	case http.StatusBadRequest:
		if strings.Contains(strings.ToLower(message(err)), "checksum") {
			return bucket.ErrChecksum
		}
	}
	return err
}

// code is the S3 error code in err, empty if the answer had none.
func code(err error) string {
	if e := smithy.APIError(nil); errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

func message(err error) string {
	if e := smithy.APIError(nil); errors.As(err, &e) {
		return e.ErrorMessage()
	}
	return ""
}

// status is the HTTP status in err, 0 if there was no answer.
func status(err error) int {
	if e := (*awshttp.ResponseError)(nil); errors.As(err, &e) {
		return e.HTTPStatusCode()
	}
	return 0
}
