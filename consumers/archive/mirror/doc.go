// Package mirror is the ledger as the bucket keeps it: a manifest for each flush and each swap, canonical JSON, written once.
//
//	manifests/<topic id>/<partition, 5 digits>/<first offset, 20 digits>.json    a flush
//	manifests/<topic id>/swaps/<n, 20 digits>.json                               a swap
//
// Each names the digest of the one before of its partition, or of its topic's swaps. So whoever knows the newest one knows
// them all, and the files by their digests: nothing of it can be missing or changed unseen. From the manifests alone the
// ledger can be made again.
package mirror
