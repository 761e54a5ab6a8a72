// Package retrain asks for training runs when data arrives: one run for each model that is declared on the dataset.
//
// Input: dataset.ready. Effect: run rows with run.requested events, through the registry.
//
//	failure                       what happens
//	the same event again          the run key is the same, so is the run
//	killed between two models     the event comes again; the first model's run is there already
//	database or bucket away       the error is returned and the event tried again
//	a model that cannot be run    the others get their runs, then the event is a dead letter that names the model
//	two datasets out of order     two runs; a run knows its dataset by digest and waits for nothing
package retrain
