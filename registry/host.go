package registry

import (
	"context"
	"sync"
	"time"
)

// patience is how many attempts in a row a host may fail, whatever they asked
// for, before the failure is taken for that of the host. It is twice the
// number of requests that can be under way, which one outage fails together,
// if that is more.
const patience = 12

// host is what a wire knows of one host. What a server says about its load
// concerns the host and not the request that it was said to: all requests wait
// then, and come back one after another.
type host struct {
	name  string        // with the port where the address has one
	pace  *pace         // shared by the hosts of one registry
	slots chan struct{} // holds one element for each request that is not waiting for one
	dead  chan struct{} // closed when the host is given up

	mu      sync.Mutex
	entered int           // requests that want something of the host
	sending int           // those that are being sent or answered
	window  int           // how many may be: all, or fewer after the host was throttled
	changed chan struct{} // closed and replaced when one of them is done
	until   time.Time     // nothing is sent before
	// round counts the times that the host was throttled. Of many requests
	// that were under way together and refused together, one makes a round.
	round     int
	throttles int // rounds in a row in which nothing was answered
	silences  int // attempts in a row that no answer came to
	errors    int // answers in a row that were an error of the server
	answered  bool
	gone      *failure // why the host is given up
}

func newHost(name string, slots int, p *pace) *host {
	return &host{
		name:    name,
		pace:    p,
		slots:   make(chan struct{}, slots),
		dead:    make(chan struct{}),
		window:  slots,
		changed: make(chan struct{}),
	}
}

// enter waits for a slot, which is held until leave: pauses included, so that a
// host that wants fewer requests does not get those of others instead.
func (h *host) enter(ctx context.Context) error {
	h.count(1)
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		h.count(-1)
		return ctx.Err()
	}
}

func (h *host) leave() {
	<-h.slots
	h.count(-1)
}

func (h *host) count(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.entered += n
}

// turn is the answer to the question whether to send: yes, or not before a
// time has passed, or not before something has changed.
type turn struct {
	round   int // of a yes
	wait    time.Duration
	changed <-chan struct{}
}

// turn asks for leave to send. After a yes, done must be called.
func (h *host) turn(now time.Time) (turn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.gone != nil:
		return turn{}, h.gone
	case now.Before(h.until):
		return turn{wait: h.until.Sub(now)}, nil
	case h.sending >= h.window:
		return turn{changed: h.changed}, nil
	}
	if wait := h.pace.take(now); wait > 0 {
		return turn{wait: wait}, nil
	}
	h.sending++
	return turn{round: h.round}, nil
}

// done ends what a yes of turn has begun.
func (h *host) done() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sending--
	close(h.changed)
	h.changed = make(chan struct{})
}

// answer notes an answer that was sent for in the round, and is of use.
func (h *host) answer(round int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answered = true
	h.silences, h.errors = 0, 0
	if round == h.round {
		h.throttles = 0
		h.window = min(h.window+1, cap(h.slots))
	}
}

// serverError notes an answer that says that the server failed. It reports
// whether the host has done so for long enough that repetitions are of no use:
// each request gets one chance then, since the next may be of a repository
// that is in order.
func (h *host) serverError() (hopeless bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answered = true
	h.silences = 0
	h.errors++
	return h.errors >= h.patience()
}

// silence notes an attempt without an answer. It reports whether there has
// ever been one, and whether there has been none for long.
func (h *host) silence() (proven, hopeless bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.silences++
	return h.answered, h.silences >= h.patience()
}

func (h *host) patience() int { return max(patience, 2*cap(h.slots)) }

// throttle notes that a request of the round was refused because there were
// too many. It gives the number of rounds in a row, from 1, and whether the
// refusal began the latest.
func (h *host) throttle(round int) (rounds int, began bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answered = true
	h.silences, h.errors = 0, 0
	if began = round == h.round; began {
		h.round++
		h.throttles++
		h.window = 1
	}
	return h.throttles, began
}

// pauseUntil lets nothing be sent before t.
func (h *host) pauseUntil(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.After(h.until) {
		h.until = t
	}
}

// giveUp ends all that wants to be sent to the host, now and later, with f.
func (h *host) giveUp(f *failure) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone == nil {
		h.gone = f
		close(h.dead)
	}
}

// pace keeps the requests to a registry apart.
type pace struct {
	interval time.Duration // zero for no limit

	mu   sync.Mutex
	next time.Time // the earliest for the next request
}

func newPace(rate float64) *pace {
	p := &pace{}
	if rate > 0 {
		p.interval = time.Duration(float64(time.Second) / rate)
	}
	return p
}

// take gives zero to one caller each interval, and to the others how long to
// wait before they ask again.
func (p *pace) take(now time.Time) time.Duration {
	if p.interval == 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.next) {
		return p.next.Sub(now)
	}
	p.next = now.Add(p.interval)
	return 0
}
