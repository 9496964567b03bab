package lsp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/rules"
)

// client speaks with a server in the same process.
type client struct {
	t        *testing.T
	in       *io.PipeWriter
	messages chan *message
	ended    chan error
	judged   *atomic.Int64 // how often the options of check were asked for
	gate     atomic.Pointer[chan struct{}]
}

// start starts a server without folders, after the handshake.
func start(t *testing.T, delay time.Duration) *client {
	t.Helper()
	in, toServer := io.Pipe()
	fromServer, out := io.Pipe()
	c := &client{t: t, in: toServer, messages: make(chan *message, 1000), ended: make(chan error, 1), judged: &atomic.Int64{}}
	s := &Server{Delay: delay, Check: func(string) (lint.Options, error) {
		c.judged.Add(1)
		if gate := c.gate.Load(); gate != nil {
			<-*gate
		}
		return lint.Options{Rules: rules.All()}, nil
	}}
	go func() {
		err := s.Serve(context.Background(), in, out)
		out.Close()
		c.ended <- err
	}()
	go func() {
		defer close(c.messages)
		for r := newReader(fromServer); ; {
			m, err := r.read()
			if err != nil {
				return
			}
			c.messages <- m
		}
	}()
	c.send(`{"id":0,"method":"initialize","params":{"capabilities":{"textDocument":{"publishDiagnostics":{"versionSupport":true}}}}}`)
	if m := <-c.messages; m.Error != nil {
		t.Fatal(m.Error)
	}
	c.send(`{"method":"initialized","params":{}}`)
	return c
}

func (c *client) send(body string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, frame(body)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) open(text string) {
	c.send(fmt.Sprintf(`{"method":"textDocument/didOpen","params":{"textDocument":{"uri":"file:///none/Dockerfile","version":1,"text":%q}}}`, text))
}

func (c *client) change(version int, text string) {
	c.send(fmt.Sprintf(`{"method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///none/Dockerfile","version":%d},"contentChanges":[{"text":%q}]}}`, version, text))
}

// published are the diagnostics that have come by now: "VERSION: CODE…".
func (c *client) published() []string {
	c.t.Helper()
	var all []string
	for {
		select {
		case m := <-c.messages:
			var p publishParams
			if err := json.Unmarshal(m.Params, &p); err != nil {
				c.t.Fatal(err)
			}
			text := "closed:"
			if p.Version != nil {
				text = fmt.Sprintf("%d:", *p.Version)
			}
			for _, d := range p.Diagnostics {
				text += " " + d.Code
			}
			all = append(all, text)
		default:
			return all
		}
	}
}

// end closes the input, and waits for the server.
func (c *client) end(want error) {
	c.t.Helper()
	c.in.Close()
	if err := <-c.ended; !errors.Is(err, want) {
		c.t.Errorf("the session ends with %v, want %v", err, want)
	}
}

// TestRest holds that a text is judged when it rests, once, as it is then.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, time.Second)
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if got := c.published(); !slices.Equal(got, want) {
				t.Errorf("published %q, want %q", got, want)
			}
		}
		c.open("FROM a:1\n")
		expect("1: unpinned-image") // nobody waits for what was opened
		for version := 2; version < 50; version++ {
			c.change(version, strings.Repeat("FROM a:1\n", version))
			time.Sleep(900 * time.Millisecond)
			expect()
		}
		c.change(50, "FROM a\n")
		time.Sleep(999 * time.Millisecond)
		expect()
		time.Sleep(time.Millisecond)
		expect("50: floating-tag")
		if n := c.judged.Load(); n != 2 {
			t.Errorf("judged %d times, want 2", n)
		}
		c.change(51, "FROM b\n")
		c.send(`{"method":"textDocument/didClose","params":{"textDocument":{"uri":"file:///none/Dockerfile"}}}`)
		expect("closed:")
		time.Sleep(time.Minute)
		expect()
		c.end(ErrGone)
	})
}

// TestBeforeRest holds that a question about a text that does not rest yet is
// answered from what it is now, and that judging it again is spared.
func TestBeforeRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, time.Second)
		c.open("FROM a:1\n")
		synctest.Wait()
		c.published()
		c.change(2, "FROM b:2\n")
		c.send(`{"id":1,"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///none/Dockerfile"},"position":{"line":0,"character":6}}}`)
		synctest.Wait()
		if m := <-c.messages; !strings.Contains(string(m.Result), "docker.io/library/b:2") {
			t.Errorf("hover: %s", m.Result)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := c.published(); !slices.Equal(got, []string{"2: unpinned-image"}) || c.judged.Load() != 2 {
			t.Errorf("published %q after judging %d times", got, c.judged.Load())
		}
		c.end(ErrGone)
	})
}

// TestOutdated holds that what was found in a text that has changed meanwhile is
// neither shown nor remembered.
func TestOutdated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, time.Second)
		gate := make(chan struct{})
		c.gate.Store(&gate)
		c.open("FROM a:1\n")
		synctest.Wait() // it is being judged
		c.change(2, "# nothing\n")
		synctest.Wait()
		c.gate.Store(nil)
		close(gate)
		synctest.Wait()
		if got := c.published(); len(got) > 0 {
			t.Errorf("published %q about an old text", got)
		}
		// A question goes on when the text changes, but its answer is an old one.
		ask := func(id int) {
			c.send(fmt.Sprintf(`{"id":%d,"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///none/Dockerfile"},"position":{"line":0,"character":6}}}`, id))
			synctest.Wait()
		}
		second := make(chan struct{})
		c.gate.Store(&second)
		c.change(3, "FROM old:1\n")
		ask(1)
		c.change(4, "FROM new:1\n")
		synctest.Wait()
		c.gate.Store(nil)
		close(second)
		if m := <-c.messages; !strings.Contains(string(m.Result), "old:1") {
			t.Errorf("hover: %s", m.Result)
		}
		ask(2)
		if m := <-c.messages; !strings.Contains(string(m.Result), "new:1") {
			t.Errorf("hover: %s", m.Result)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := c.published(); !slices.Equal(got, []string{"4: unpinned-image"}) {
			t.Errorf("published %q", got)
		}
		c.end(ErrGone)
	})
}

// TestSlowReader holds that an editor which reads nothing for a while can say
// all that it has to say, and is told everything when it reads again.
func TestSlowReader(t *testing.T) {
	in, toServer := io.Pipe()
	fromServer, out := io.Pipe()
	ended := make(chan error, 1)
	s := &Server{Check: func(string) (lint.Options, error) { return lint.Options{}, nil }}
	go func() { ended <- s.Serve(context.Background(), in, out) }()
	const questions = 1000
	for i := range questions {
		if _, err := io.WriteString(toServer, frame(fmt.Sprintf(`{"id":%d,"method":"nothing"}`, i))); err != nil {
			t.Fatal(err)
		}
	}
	r := newReader(fromServer)
	for i := range questions {
		m, err := r.read()
		if err != nil || string(m.ID) != fmt.Sprint(i) || m.Error.Code != codeNotInitialized {
			t.Fatalf("answer %d: %v, %v", i, m, err)
		}
	}
	toServer.Close()
	if err := <-ended; !errors.Is(err, ErrGone) {
		t.Error(err)
	}
}

// TestInterrupt holds that the end of the context ends a session that waits for
// its editor.
func TestInterrupt(t *testing.T) {
	in, toServer := io.Pipe()
	defer toServer.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	s := &Server{}
	go func() { ended <- s.Serve(ctx, in, io.Discard) }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestCode(t *testing.T) {
	for in, want := range map[string]string{
		"nginx":           "`nginx`",
		"a`b":             "``a`b``",
		"`a``":            "``` `a`` ```",
		"a\nb\x1b[31m":    "`a\\nb\\x1b[31m`",
		"</code><script>": "`</code><script>`",
	} {
		if got := code(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
