package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Bounds of one commit, and of the wait before another try.
const (
	commitTimeout = 10 * time.Second
	commitRetry   = 250 * time.Millisecond
)

var errDisowned = errors.New("partition was given back")

// commit notes for the group that everything before next is done. It never commits for a partition that was given back:
// under the member's new generation the broker would take such a commit and rewind the next owner. The request is our
// own because the client's commits wait for a rebalance in progress, which may take as long as the slowest member, and
// would hold up the lane; ours fail and are repeated.
func (l *lane) commit(ctx context.Context, group string, next int64, epoch int32) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	select {
	case l.committing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.committing }()
	if l.disowned {
		return fmt.Errorf("commit %s/%d: %w", l.topic, l.partition, errDisowned)
	}
	resp, err := l.commitRequest(group, next, epoch).RequestWith(ctx, l.cl)
	if err == nil {
		err = commitFault(resp)
	}
	if err != nil {
		return fmt.Errorf("commit %s/%d at %d: %w", l.topic, l.partition, next, err)
	}
	return nil
}

func (l *lane) commitRequest(group string, next int64, epoch int32) *kmsg.OffsetCommitRequest {
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset, p.LeaderEpoch = l.partition, next, epoch
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic, t.TopicID = l.topic, l.tp().TopicID
	t.Partitions = append(t.Partitions, p)
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group = group
	req.MemberID, req.Generation = l.cl.GroupMetadata()
	req.Topics = append(req.Topics, t)
	return req
}

func commitFault(resp *kmsg.OffsetCommitResponse) error {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}

// rebalancing reports whether a commit failed only because the group is between two generations.
func rebalancing(err error) bool {
	return errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.StaleMemberEpoch)
}

// abandon ends the work in progress.
func (l *lane) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kill != nil {
		l.kill()
	}
}

// disown waits for a commit in progress and forbids the next.
func (l *lane) disown() {
	l.committing <- struct{}{}
	l.disowned = true
	<-l.committing
}
