// Package tagwatch keeps the newest known state of every tag, for a server that must load what tags point at.
//
// It has two sources and needs only one of them at a time. The topic of tag.moved is compacted, so following it from its
// start gives the state of every tag and then each move as it happens. The registry is asked for all tags now and then:
// it mends whatever the topic lost, and stands in for it while Kafka is away.
//
//	source        when                                  while it is down
//	tag.moved     from the start, then as it happens     tried again with back-off; moves arrive with the next poll
//	ListTags      at once, then every 5 to 30 s          tried again with back-off; moves arrive with their events
//
// Generations decide, not the order of arrival: a state is taken only where its generation is greater than the one
// known. An event that comes late, twice, or after the poll that knew it already changes nothing.
package tagwatch
