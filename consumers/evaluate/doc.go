// Package evaluate compares each new package with the champion and promotes it where the model's policy says so.
//
// Input: package.published of a run. Effect: an evaluation, kept for ever, with every number and the decision in words;
// and where that is to promote, a move of the model's tag by compare-and-swap with the evaluation as evidence.
package evaluate
