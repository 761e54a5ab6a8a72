// Package tune looks after sweeps, which are hyperparameter searches: it asks for their trials, stops those that are
// behind, and ends each sweep with its best trial. A trial is a run like any other, but nobody is told of the package that
// it leaves; the best one's is announced when the sweep ends, and is evaluated and promoted from there on.
//
//	running --a trial is wanted, fewer than parallel are under way--> trial n+1 requested
//	running --every trial is final, or the budget is spent and none is active--> complete, with the best trial
//	                                                                        \--> failed, where no trial has a value
//	running --somebody cancels--> cancelled; its active trials are cancelled by the next look
//
// Nothing is kept here. Each look reads the running sweeps, their trials in the catalog and the figures of these in the
// bucket, and decides anew:
//
//	what                       is a function of
//	parameters of trial n      the search's seed, n and the parameter's name
//	the run of trial n         the sweep's id and n: asked for twice it is one
//	value of a trial           the last point of its series, else its figure at the end
//	value at a rung            the first point at the rung's step or behind it, of the newest attempt
//	whether a trial goes on    the values at that rung that were measured no later than its own
//	seconds spent              the histories of the trials: what they have been running
//
// At a rung a trial goes on as long as fewer than `reduction` values are there; from then on if it is among the best
// 1/reduction of them. Because only values up to the moment of its own count, it does not matter when somebody looks, and
// a machine that starts again decides as the one before. Points without a step count as steps 1, 2, 3 and so on.
//
// A trial that was stopped is cancelled, with the reason in its history. Its values go on counting at the rungs, but it is
// never the best one: it has no package. A trial that failed, or that somebody cancelled, is used up.
//
// What can go wrong:
//
//	fault                                effect
//	event lost, late or twice            the poll finds the sweep; a second look changes nothing
//	worker dies between any two calls    the next one finds the same state and makes the next call
//	answer of a call is lost             it is repeated: trials are found, cancelled runs stay so, a sweep ends once
//	two workers at once                  they ask for the same trials and end the sweep with one announcement
//	sweep cancelled while one asks for a trial    the trial is found active in a sweep that has ended, and cancelled
//	trial's attempt is lost              the run is retried; its figures are those of the new attempt
//	figures cannot be read               logged; that sweep waits for the next look, the others do not
//	a point comes late from a slow host  a trial that went on may still be stopped, none that was stopped goes on
//	best trial's package is missing      cannot be: a complete run's package stays
package tune
