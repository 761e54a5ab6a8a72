package procbackend

import (
	"cmp"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	maxMessage = 1 << 16
	askEvery   = 5 * time.Second // whether a parent that has jobs is still there
)

var (
	errParentGone   = errors.New("it has ended")
	errParentSilent = errors.New("it does not answer")
)

// forkServer is a Python process that forks jobs; services/trainer/PROTOCOL.md has its messages. When it ends, so do they.
type forkServer struct {
	pid      int
	conn     *net.UnixConn
	patience time.Duration // with an answer
	printed  tail          // the end of it
	ready    chan struct{} // closed once it takes orders
	gone     chan struct{} // closed once it has ended, and its jobs have been told

	asking  sync.Mutex // one question at a time
	asked   int        // number of the last one
	answers chan answer

	mu      sync.Mutex
	refusal string
	pending *worker // what the order under way is to start
	jobs    map[int]*worker
}

// answer is a message of a parent: it takes orders, refuses to, has carried one out, or has seen a job end.
type answer struct {
	Ready  bool   `json:"ready"`
	ID     int    `json:"id"`
	PID    int    `json:"pid"`
	Status *int   `json:"status"` // negative for the signal that killed the job
	Error  string `json:"error"`
}

// order is a message to a parent: a job to start, or one that has ended and may be forgotten. With neither, it is to answer.
type order struct {
	ID   int               `json:"id,omitempty"`
	Args []string          `json:"args,omitempty"`
	Dir  string            `json:"dir,omitempty"`
	Env  map[string]string `json:"env,omitempty"`
	Reap int               `json:"reap,omitempty"`
}

// startForkServer runs the command, which gets the number of its descriptor appended. It does not wait for ready.
func startForkServer(command []string, dir string, env []string, patience time.Duration) (*forkServer, error) {
	conn, theirs, err := connection()
	if err != nil {
		return nil, err
	}
	s := &forkServer{
		conn: conn, patience: patience, ready: make(chan struct{}), gone: make(chan struct{}),
		answers: make(chan answer, 1), jobs: map[int]*worker{},
	}
	cmd := exec.Command(command[0], append(command[1:len(command):len(command)], "3")...)
	cmd.Dir, cmd.Env, cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = dir, env, []*os.File{theirs}, &s.printed, &s.printed
	cmd.WaitDelay = time.Second // its output may be held open by others
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // as for a worker
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		_ = theirs.Close() // the process has its own
		if err == nil {
			s.pid = cmd.Process.Pid
		}
		started <- err
		if err != nil {
			_ = conn.Close() // never used
			return
		}
		var g sync.WaitGroup
		g.Go(s.watch)
		s.hear()
		_ = cmd.Process.Kill() // it may be gone: then this fails
		_ = cmd.Wait()         // why is in what it printed
		_ = conn.Close()
		s.leave()
		g.Wait()
	}()
	return s, <-started
}

// connection returns our end of a connection that keeps messages apart, and the file that is the other one.
func connection() (*net.UnixConn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "forkserver"), os.NewFile(uintptr(fds[1]), "forkserver")
	conn, err := net.FileConn(ours)
	if err := errors.Join(err, ours.Close()); err != nil { // the connection has a descriptor of its own
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return conn.(*net.UnixConn), theirs, nil
}

// hear reads what the parent says, until its end or until it makes no sense.
func (s *forkServer) hear() {
	buf := make([]byte, maxMessage)
	for {
		n, err := s.conn.Read(buf)
		if err != nil {
			return
		}
		var a answer
		if err := json.Unmarshal(buf[:n], &a); err != nil || !s.take(a) {
			return
		}
	}
}

// take acts on one message; false where the parent is of no more use.
func (s *forkServer) take(a answer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case a.Status != nil:
		w := s.jobs[a.PID]
		delete(s.jobs, a.PID)
		if w != nil {
			w.end(endingOf(*a.Status))
		}
		return s.send(order{Reap: a.PID}, nil) == nil
	case a.ID != 0:
		if s.pending != nil && a.PID != 0 {
			s.pending.begin(a.PID)
			s.jobs[a.PID] = s.pending
		}
		s.pending = nil
		select {
		case s.answers <- a:
		default:
			return false // nobody asked
		}
	case a.Error != "":
		s.refusal = a.Error
		return false
	case a.Ready:
		select {
		case <-s.ready:
			return false
		default:
			close(s.ready)
		}
	}
	return true
}

// fork starts a worker with its output in out. An error means that there is no such process, nor will be one.
func (s *forkServer) fork(w *worker, o order, out *os.File) error {
	s.asking.Lock()
	defer s.asking.Unlock()
	return s.ask(w, o, out)
}

// ask sends an order and waits for the answer. A parent that has none in time is ended.
func (s *forkServer) ask(w *worker, o order, out *os.File) error {
	s.asked++
	o.ID = s.asked
	s.mu.Lock()
	s.pending = w
	err := s.send(o, out)
	s.mu.Unlock()
	timer := time.NewTimer(s.patience)
	defer timer.Stop()
	if err == nil {
		select {
		case a := <-s.answers:
			if a.Error != "" {
				return errors.New(a.Error)
			}
			return nil
		case <-s.gone:
			err = errParentGone
		case <-timer.C:
			err = errParentSilent
		}
	}
	s.mu.Lock()
	s.pending = nil
	s.mu.Unlock()
	s.stop()
	if w != nil && w.pid() != 0 { // begun in the last moment
		return nil // and lost with the parent, as its worker knows
	}
	return err
}

// send writes a message. The mutex is held: a message to a parent that does not read must not hold it for ever.
func (s *forkServer) send(o order, out *os.File) error {
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	var rights []byte
	if out != nil {
		rights = syscall.UnixRights(int(out.Fd()))
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.patience)); err != nil {
		return err
	}
	_, _, err = s.conn.WriteMsgUnix(b, rights, nil)
	return err
}

// watch asks a parent that has jobs whether it is there: one that hangs would never tell of their ends.
func (s *forkServer) watch() {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.gone:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		busy := len(s.jobs) > 0
		s.mu.Unlock()
		if busy {
			s.asking.Lock()
			_ = s.ask(nil, order{}, nil) // whom it ends is told
			s.asking.Unlock()
		}
	}
}

// leave tells the jobs of a parent that has ended: the kernel has ended them with it.
func (s *forkServer) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.jobs {
		w.end(ending{lost: true})
	}
	clear(s.jobs)
	close(s.gone)
}

// stop ends the parent and its jobs.
func (s *forkServer) stop() {
	_ = s.conn.CloseRead() // the reader ends, and ends the process
	<-s.gone
}

// why says what is known of a parent's end.
func (s *forkServer) why() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return cmp.Or(s.refusal, s.printed.String(), "it said nothing")
}
