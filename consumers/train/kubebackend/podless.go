package kubebackend

import (
	"sync"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/train"
)

// How long nobody asks why a job has no pod: most have one soon, and a look may come for every change of a hundred jobs. The
// time doubles with each answer.
const (
	podlessFirst = 3 * time.Second
	podlessMost  = 30 * time.Second
)

// podless remembers what the jobs without pods wait for.
type podless struct {
	mu   sync.Mutex
	jobs map[string]podlessJob // by name
}

type podlessJob struct {
	until  time.Time // nobody asks before
	wait   time.Duration
	status train.Status
}

// recall returns what was last said of a job, unless it is time to ask again. st is what a new one gets.
func (p *podless) recall(job string, st train.Status, now time.Time) (train.Status, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.jobs[job]
	if !ok {
		known = podlessJob{now.Add(podlessFirst), podlessFirst, st}
		p.jobs[job] = known
	}
	return known.status, now.Before(known.until)
}

func (p *podless) remember(job string, st train.Status, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := min(podlessMost, max(podlessFirst, 2*p.jobs[job].wait))
	p.jobs[job] = podlessJob{now.Add(wait), wait, st}
}

func (p *podless) forget(job string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.jobs, job)
}
