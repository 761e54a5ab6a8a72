// Package schemas holds the contracts that other languages share with the Go code.
package schemas

import "embed"

// Vectors are golden vectors: model packages with their files and the exact manifest bytes and id that every
// implementation must make of them.
//
//go:embed vectors
var Vectors embed.FS

// Events are the JSON Schemas of what lifecycle events carry as data, each at <type>/<major>/<minor>.json. Examples of each
// are beside them, in the directory examples.
//
//go:embed dev.signalbox.*/*/*.json
var Events embed.FS

// API is the HTTP API in OpenAPI 3.1: openapi.yaml lists every path, the files in openapi describe them.
//
//go:embed openapi.yaml openapi
var API embed.FS
