package flights

import "embed"

// Specs are the declarations of the example, and the workflow that they name: what `signalbox apply -f` takes.
//
//go:embed specs/*.yaml workflows/*.py
var Specs embed.FS
