// Package manifest holds the immutable documents of the loop and their one canonical encoding (RFC 8785): Dataset,
// Package, Evaluation, and the Signature file inside a package. Decoders refuse what they do not know, so that a digest
// never covers something nobody checked.
package manifest
