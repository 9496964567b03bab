package registry

import (
	"slices"
	"strings"
	"time"
)

// HostStatus is what goes on at a host, for people who wait for it.
type HostStatus struct {
	// Host is that of the address, with its port if it has one:
	// "index.docker.io". A server may have named it.
	Host string
	// Sending is how many requests are under way.
	Sending int
	// Waiting is how many want to be sent: they are more than may be under
	// way, or pause before they are sent again.
	Waiting int
	// Until is set while the host wants to be left alone, and is when that
	// ends.
	Until time.Time
}

// Status gives the hosts that have been asked so far, sorted. It may be called
// at any time and waits for nothing.
func (c *Client) Status() []HostStatus { return c.wire.status() }

// Requests is how many requests have been sent so far: repetitions, those of
// the handshake and redirects included.
func (c *Client) Requests() int64 { return c.wire.requests.Load() }

func (w *wire) status() []HostStatus {
	w.mu.Lock()
	list := make([]HostStatus, 0, len(w.hosts))
	for _, h := range w.hosts {
		list = append(list, h.status(w.now()))
	}
	w.mu.Unlock()
	slices.SortFunc(list, func(a, b HostStatus) int { return strings.Compare(a.Host, b.Host) })
	merged := list[:0]
	for _, s := range list {
		if n := len(merged); n > 0 && merged[n-1].Host == s.Host { // over HTTPS and HTTP
			merged[n-1].add(s)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

func (s *HostStatus) add(other HostStatus) {
	s.Sending += other.Sending
	s.Waiting += other.Waiting
	if other.Until.After(s.Until) {
		s.Until = other.Until
	}
}

func (h *host) status(now time.Time) HostStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := HostStatus{Host: h.name, Sending: h.sending, Waiting: h.entered - h.sending}
	if now.Before(h.until) {
		s.Until = h.until
	}
	return s
}
