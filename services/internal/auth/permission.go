// Package auth says who a caller is and what it may do: static hashed tokens with roles, tokens scoped to one run, and
// one table from roles to permissions.
package auth

import "slices"

// Permission is what a route demands. A route without one cannot be registered.
type Permission string

// The permissions.
const (
	Public         Permission = "public" // health only: nothing that says what is stored
	EventsPublish  Permission = "events.publish"
	DatasetPublish Permission = "events.publish.dataset_ready"
	Predict        Permission = "predict"
	RunsRead       Permission = "runs.read"
	RunsCreate     Permission = "runs.create"
	RunsReport     Permission = "runs.report" // what a job may say of its own run
	PackagesPush   Permission = "packages.push"
	RegistryRead   Permission = "registry.read"
	ArchiveRead    Permission = "archive.read"
	TagsPromote    Permission = "tags.promote"
	SpecsApply     Permission = "specs.apply"
	MetricsRead    Permission = "metrics.read"
)

// Role is a named set of permissions.
type Role string

// The roles.
const (
	Viewer    Role = "viewer"
	Predictor Role = "predictor"
	Producer  Role = "producer"
	Trainer   Role = "trainer"
	Promoter  Role = "promoter"
	Admin     Role = "admin"
	// Job is the role of a run's own token; it is never given to a person.
	Job Role = "job"
)

// Roles lists the roles that a token may be given.
func Roles() []Role { return []Role{Viewer, Predictor, Producer, Trainer, Promoter, Admin} }

// permissions is the whole policy. What is not listed is refused.
func permissions(r Role) []Permission {
	switch r {
	case Viewer:
		return []Permission{RunsRead, RegistryRead, ArchiveRead, MetricsRead}
	case Predictor:
		return []Permission{Predict}
	case Producer:
		return []Permission{EventsPublish}
	case Trainer:
		return []Permission{DatasetPublish, RunsRead, RunsCreate, RegistryRead, ArchiveRead, PackagesPush}
	case Promoter:
		return []Permission{RunsRead, RegistryRead, ArchiveRead, TagsPromote}
	case Admin:
		return []Permission{EventsPublish, DatasetPublish, Predict, RunsRead, RunsCreate, RegistryRead, ArchiveRead,
			PackagesPush, TagsPromote, SpecsApply, MetricsRead}
	case Job:
		return []Permission{RunsReport, PackagesPush, RegistryRead}
	}
	return nil
}

// Principal is an authenticated caller.
type Principal struct {
	Name  string // stable name for audit: the token's name, or run:<id>
	Roles []Role
	// Run and Attempt bind a job's token; empty for people and services.
	Run     string
	Attempt int
}

// Can reports whether any role of p has the permission.
func (p Principal) Can(want Permission) bool {
	if want == Public {
		return true
	}
	return slices.ContainsFunc(p.Roles, func(r Role) bool { return slices.Contains(permissions(r), want) })
}
