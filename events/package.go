package events

// TypePackagePublished says that a package is complete and can be loaded by its id. Subject: the package id.
const TypePackagePublished = "dev.signalbox.package.published"

// PackagePublished is the data of TypePackagePublished.
type PackagePublished struct {
	Package string `json:"package"` // digest
	Model   string `json:"model"`
	RunID   string `json:"run_id,omitempty"`
	Dataset string `json:"dataset,omitempty"` // digest
	Format  string `json:"format"`
	Size    int64  `json:"size"` // bytes of all layers
}
