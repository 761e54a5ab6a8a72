// Package duckengine runs compiled plans in DuckDB, in process. It is the only importer of DuckDB and needs cgo; programs
// without cgo run it as a child through package procengine.
//
// The SQL holds expressions that users wrote. DuckDB is confined before it sees them: it may read the plan's input files,
// write the output and the spill directory, load no extension, and change no setting.
package duckengine
