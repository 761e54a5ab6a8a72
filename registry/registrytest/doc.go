// Package registrytest holds the suite that every registry.Catalog passes, and Memory, the catalog of tests.
package registrytest
