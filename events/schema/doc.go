// Package schema compiles a closed subset of JSON Schema 2020-12 and checks JSON against it in one pass over the bytes.
// It builds no tree of the data and does not allocate for data that fits, except for what the table marks with *.
//
//	| keyword                                                      | meaning here                                        |
//	|--------------------------------------------------------------|-----------------------------------------------------|
//	| $schema, $id                                                 | at the top only; $schema is that of 2020-12         |
//	| $comment title description examples default deprecated       | annotations                                         |
//	| readOnly writeOnly                                           |                                                     |
//	| x-signalbox-column                                           | true or a name, on a scalar member of the top level |
//	| $defs, $ref                                                  | $defs at the top, $ref "#/$defs/<name>" beside      |
//	|                                                              | annotations alone, never in a circle                |
//	| type                                                         | a name or a list of names; absent means every type  |
//	| enum, const                                                  | of scalars, numbers by value: 1 is 1.0              |
//	| minimum maximum exclusiveMinimum exclusiveMaximum multipleOf | exact for numbers of every size, never rounded      |
//	| minLength maxLength                                          | in code points                                      |
//	| pattern                                                      | RE2, unanchored; linear in the text                 |
//	| format                                                       | asserted: date-time date time duration uuid ipv4    |
//	|                                                              | hostname, ipv6* email* uri* uri-reference*          |
//	| items minItems maxItems                                      |                                                     |
//	| properties required minProperties maxProperties              | names beyond 32 that are not declared*              |
//	| additionalProperties                                         | a boolean or a schema; absent means true            |
//
// Everything else is refused by Compile, so that what a schema says is what is checked, and so that schemas can be
// compared with each other.
//
// A member of the top level that is marked x-signalbox-column stands in the archive's files a second time, as a column of
// its own. Its schema says of what kind: boolean, integer (64 bits), number (floating-point), text, or for strings of the
// formats date-time and date a timestamp and a date. The column's name is in lower case, and none of those that the archive
// has or keeps for itself: kafka_* ce_* data data_* value header header_* headers traceparent tracestate signalbox_* topic
// type date hour.
//
// Data is JSON that every parser reads alike: RFC 8259 in valid UTF-8, surrogates in pairs, no member twice, nested at
// most 64 deep.
package schema
