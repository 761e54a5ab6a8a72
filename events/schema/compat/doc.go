// Package compat says whether one version of a schema can follow another, so that everybody who knows either version can
// read what everybody else writes (FULL_TRANSITIVE, as schema registries call it). What it cannot prove it refuses.
//
// # What is promised
//
// An object of a schema is open where it has no additionalProperties, or where they may be anything. It is free-form
// where it declares no member besides, and then its members are data as the keys of a map are. In every other open
// object the declared members are what there is to know:
//
//   - A writer of S writes documents that fit S, and members that S declares alone: W(S).
//   - A reader of S leaves out the members of open objects that S does not declare, save of free-form ones, and takes
//     what then fits S: R(S). It may check before it leaves them out: that is no different for what follows.
//
// An event may have more members than its schema declares, and an open schema lets it pass; such a member promises
// nothing to anybody until a version declares it. (Judged by all documents that fit, nothing could ever be added to an
// open object, since some document has the name with another value already.)
//
// Backward means that readers of the later version read what writers of the earlier one left: W(earlier) ⊆ R(later).
// Forward is the other way round: W(later) ⊆ R(earlier). Full is both.
//
// # The rule
//
// A later version extends an earlier one where at every place
//
//  1. both take the same types and, for each of them, say the same: the values of an enum, bounds, length, pattern,
//     format, multipleOf, number of elements and of members; numbers by value, texts of patterns by letter. What binds a
//     type that the place does not take says nothing. Of a list only those values count that fit the rest;
//  2. elements and additional members extend those of the earlier one; neither is closed where the other is not, nor
//     free-form where the other is not;
//  3. every member that the earlier one declares is declared, is required where it was required and optional where it
//     was optional, and extends what it was;
//  4. a member that only the later one declares is optional, and the object is open, is not free-form, and asks for no
//     more members (minProperties) than it requires by name.
//
// # Why that is enough
//
// By induction over the places of the schema. Scalars: by 1 the same values fit. Arrays: their numbers of elements are
// bound alike, and elements are covered by the hypothesis. Objects, backward: a member that a writer of the earlier
// version wrote is declared by it, so by 3 it is declared by the later one and fits it by the hypothesis; all that the
// later one requires was required, hence is there; members that it has beyond (4) are optional and absent; nothing is
// left out, so counts are the same. Objects, forward: members that the earlier version declares fit as before. Members
// of 4 are left out by its reader, which finds all that it requires; it counts fewer members than the writer wrote, which
// no maxProperties minds, and at least those that it requires, which by 4 are enough for minProperties. A reader that
// checks first counts what the writer counted. Closed objects, maps and free-form objects have no members of 4, and
// nothing of them is left out.
//
// Extension is transitive: equality is, and rule 4 asks for what 2 and 3 keep as it is. So it is enough to compare each
// version with the one before. That is also why nothing is ever taken away, although a reader would not notice: the
// version after could bring the name back with another meaning.
//
// The column that a member is archived in (x-signalbox-column) may be added, and neither changed nor taken away: files
// that exist have it.
package compat
