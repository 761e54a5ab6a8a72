// Package evaluate compares each new package with the champion and promotes it where the model's policy says so.
//
// Input: package.published of a run. Effect: an evaluation, kept for ever, with every number and the decision in words;
// and where that is to promote, a move of the model's tag by compare-and-swap with the evaluation as evidence.
//
// One run's package is decided once. What a delivery finds, and what it does:
//
//	recorded by an earlier delivery               this one
//	nothing                                       scores, decides, records, promotes
//	an evaluation that keeps                      nothing
//	one that promotes, and a move of the tag      nothing, even where the tag was rolled back since
//	with it as evidence
//	one that promotes, without such a move        decides again: it was killed before the move, or another champion
//	                                              took the tag first. Against the same champion it is the same
//	                                              evaluation, and the move's Op makes it the same move
//
// An engine that is away or a tag that moves too often is tried again. A package that cannot be scored, an artifact that is
// not in the bucket and a holdout that cannot be read are dead letters: no repeat mends them.
package evaluate
