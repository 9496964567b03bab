package registry

import (
	"context"
	"sync"
)

// memo remembers the outcome of each key, errors included. Of several askers
// of one key at the same time one finds out and the others wait for it. The
// zero memo is ready for use.
type memo[V any] struct {
	mu    sync.Mutex
	calls map[string]*call[V]
}

type call[V any] struct {
	done      chan struct{} // closed when the fields below are final
	value     V
	err       error
	abandoned bool
}

// do gives the outcome of key and calls find if nobody has asked for it. Each
// asker waits no longer than its own ctx. What fails because the ctx of the
// asker who finds out has ended is not remembered: another asker takes over.
func (m *memo[V]) do(ctx context.Context, key string, find func(context.Context) (V, error)) (V, error) {
	for {
		if err := ctx.Err(); err != nil {
			var none V
			return none, err
		}
		c, mine := m.claim(key)
		if mine {
			c.value, c.err = find(ctx)
			if c.err != nil && ctx.Err() != nil {
				c.abandoned = true
				m.forget(key)
			}
			close(c.done)
			return c.value, c.err
		}
		select {
		case <-c.done:
			if !c.abandoned {
				return c.value, c.err
			}
		case <-ctx.Done():
		}
	}
}

// known is the value of key if it has been found.
func (m *memo[V]) known(key string) (V, bool) {
	m.mu.Lock()
	c, ok := m.calls[key]
	m.mu.Unlock()
	if ok {
		select {
		case <-c.done:
			if c.err == nil {
				return c.value, true
			}
		default:
		}
	}
	var none V
	return none, false
}

// learn remembers the value of key, found on the way to something else, unless
// somebody has asked for it before.
func (m *memo[V]) learn(key string, value V) {
	if c, mine := m.claim(key); mine {
		c.value = value
		close(c.done)
	}
}

// claim gives the call of key, and whether the caller is the one to make it.
func (m *memo[V]) claim(key string) (c *call[V], mine bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.calls[key]; ok {
		return c, false
	}
	if m.calls == nil {
		m.calls = make(map[string]*call[V])
	}
	c = &call[V]{done: make(chan struct{})}
	m.calls[key] = c
	return c, true
}

func (m *memo[V]) forget(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.calls, key)
}
