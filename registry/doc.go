// Package registry is the truth about runs, packages, datasets and tags: everything durable is an immutable value found
// by its digest; only runs and tags move, by compare-and-swap, with history and outbox event in the same transaction.
//
// Errors for which a caller is to blame are ErrInvalid, ErrNotFound, ErrRunMoved, ErrTagMoved or ErrBlobsMissing, and
// their text is safe to show. After any other error the outcome is unknown and the same call again is safe.
package registry
