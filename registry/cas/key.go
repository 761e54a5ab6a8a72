package cas

import "strconv"

// BlobKey is the bucket key of the blob d: "blobs/sha256/<first two base32 characters>/<digest>[.<incarnation>]".
// Incarnation 0 is the first life of a blob and has no suffix; a blob that was collected comes back under the next one,
// so that a late delete of the old object cannot take the new.
func BlobKey(d Digest, incarnation int) string {
	s := d.String()
	fan := s[len(prefix) : len(prefix)+2]
	key := "blobs/sha256/" + fan + "/" + s
	if incarnation > 0 {
		key += "." + strconv.Itoa(incarnation)
	}
	return key
}
