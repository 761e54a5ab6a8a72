package events

// Bounds are the ends of a partition's log: its records are at offsets [Start, End).
type Bounds struct{ Start, End int64 }
