// Package client speaks to a Signalbox from Go programs and notebooks: it asks for training runs and hyperparameter
// searches and follows them, predicts, and publishes events.
//
// A call is repeated where that is safe and may help: when the connection breaks, and when the server answers 429, 502,
// 503 or 504, after the time that the server asks for or one that grows. Calls that make something carry an idempotency
// key, one for the call and its repeats, so that a run is asked for once however often the answer is lost. A call ends
// with its context; one that was refused returns a *Problem, for which errors.Is knows the sentinels of this package:
//
//	run, err := c.Train(ctx, request)
//	if errors.Is(err, client.ErrInvalid) {
//		// the *Problem lists every member of the request that is wrong
//	}
package client
