// Package lsp is a server of the Language Server Protocol, version 3.17, for one
// editor (https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/).
//
// It judges what the editor shows, saved or not, as check judges files, and its
// edits are those of pin. Messages are taken in their order, and change what is
// known at once; whatever takes time works on what was known then, beside them.
// Registries are asked for nothing until a user chooses to pin. The one program
// that is run is git, to list the files of a workspace folder as check does.
package lsp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/digestlint/digestlint/lint"
)

// Server is what one session with an editor needs.
type Server struct {
	// Version is that of the program.
	Version string
	// Check gives the options of check for a folder, absolute and with "/", as
	// its configuration has them now. It is called often, from several
	// goroutines at once. A [*config.Error] is shown where it is.
	Check func(folder string) (lint.Options, error)
	// Pin makes opts, which are those of Check, ask registries as the
	// configuration of the folder has it. It is called when a user chooses to
	// pin; done ends what it began.
	Pin func(folder string, opts *lint.PinOptions) (done func(), err error)
	// Delay is how long a text has to rest before it is judged.
	Delay time.Duration
}

// Errors of sessions that end otherwise than the protocol has it.
var (
	// ErrGone is an editor that went away without saying goodbye.
	ErrGone = errors.New("the editor is gone")
	// ErrNoShutdown is an exit without a shutdown before it.
	ErrNoShutdown = errors.New("told to exit before the shutdown")
)

// flushTime is how long the last answers wait for an editor that does not read.
const flushTime = 2 * time.Second

// Serve speaks with one editor until that says goodbye, is gone, or ctx ends.
// Nothing that it has begun goes on afterwards, but for a read of in.
func (s *Server) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	sess := &session{
		Server: s, ctx: ctx, out: newOutbox(out), slots: make(chan struct{}, 2),
		documents: map[string]*document{}, running: map[string]context.CancelFunc{}, calls: map[string]chan *message{},
		indexes: map[string]*index{}, mistaken: map[string]string{},
	}
	err := sess.serve(in)
	cancel()
	sess.stop()
	sess.tasks.Wait()
	sess.out.close(flushTime)
	return err
}

// stage is how far a session has come.
type stage uint8

const (
	fresh stage = iota
	initialized
	shut
)

// session is one conversation.
type session struct {
	*Server
	ctx   context.Context
	out   *outbox
	tasks sync.WaitGroup
	slots chan struct{} // bounds how many files are judged at once
	stage stage         // of the one goroutine that takes messages

	mu        sync.Mutex
	client    clientCapabilities
	units     encoding
	folders   []string             // of the workspace
	documents map[string]*document // by URI
	indexes   map[string]*index    // by folder
	running   map[string]context.CancelFunc
	calls     map[string]chan *message // our requests, by ID
	called    int
	mistaken  map[string]string // what is wrong with the configuration, by folder
}

// serve takes the messages.
func (s *session) serve(in io.Reader) error {
	type received struct {
		m   *message
		err error
	}
	messages := make(chan received)
	go func() {
		for r := newReader(in); ; {
			m, err := r.read()
			select {
			case messages <- received{m, err}:
			case <-s.ctx.Done():
				return
			}
			if err != nil && !survivable(err) {
				return
			}
		}
	}()
	for {
		select {
		case <-s.ctx.Done():
			return s.ctx.Err()
		case r := <-messages:
			var bad *malformed
			switch {
			case errors.Is(r.err, io.EOF), errors.Is(r.err, io.ErrUnexpectedEOF):
				return ErrGone
			case errors.As(r.err, &bad):
				s.reply(bad.id, nil, &rpcError{bad.code, bad.reason})
			case errors.Is(r.err, errTooLarge):
				s.forget(r.err)
			case r.err != nil:
				return fmt.Errorf("read a message: %w", r.err)
			case r.m.Method == "exit" && s.stage == shut:
				return nil
			case r.m.Method == "exit":
				return ErrNoShutdown
			default:
				s.take(r.m)
			}
		}
	}
}

// take handles one message.
func (s *session) take(m *message) {
	switch {
	case m.Method == "":
		s.answered(m)
	case len(m.ID) == 0:
		if s.stage == initialized {
			s.notified(m.Method, m.Params)
		}
	case s.stage == fresh && m.Method != "initialize":
		s.reply(m.ID, nil, &rpcError{codeNotInitialized, "initialize comes first"})
	case s.stage == shut, s.stage == initialized && m.Method == "initialize":
		s.reply(m.ID, nil, &rpcError{codeInvalidRequest, m.Method + " can't come here"})
	default:
		s.request(m)
	}
}

// work is the part of a request that takes time.
type work func(ctx context.Context) (any, error)

// request prepares the answer to a request in the order of the messages, and
// has it found beside them.
func (s *session) request(m *message) {
	prepare, ok := map[string]func(params json.RawMessage) (work, error){
		"initialize":               s.initialize,
		"shutdown":                 s.shutdown,
		"textDocument/hover":       s.hover,
		"textDocument/codeAction":  s.codeActions,
		"workspace/executeCommand": s.execute,
	}[m.Method]
	if !ok {
		s.reply(m.ID, nil, &rpcError{codeMethodNotFound, fmt.Sprintf("%q is not known here", m.Method)})
		return
	}
	work, err := prepare(m.Params)
	if err != nil {
		s.reply(m.ID, nil, err)
		return
	}
	id := string(m.ID)
	ctx, cancel := context.WithCancel(s.ctx)
	s.mu.Lock()
	_, twice := s.running[id]
	if !twice {
		s.running[id] = cancel
	}
	s.mu.Unlock()
	if twice {
		cancel()
		s.reply(m.ID, nil, &rpcError{codeInvalidRequest, "a request with this id is under way"})
		return
	}
	s.tasks.Go(func() {
		result, err := work(ctx)
		if ctx.Err() != nil {
			err = &rpcError{codeRequestCancelled, "cancelled"}
		}
		s.mu.Lock()
		delete(s.running, id)
		s.mu.Unlock()
		cancel()
		s.reply(m.ID, result, err)
	})
}

// done is the work that there is none of.
func done(result any) work { return func(context.Context) (any, error) { return result, nil } }

// notified handles a notification.
func (s *session) notified(method string, params json.RawMessage) {
	handle, ok := map[string]func(params json.RawMessage) error{
		"$/cancelRequest":                     s.cancelRequest,
		"initialized":                         s.initialized,
		"textDocument/didOpen":                s.didOpen,
		"textDocument/didChange":              s.didChange,
		"textDocument/didSave":                s.didSave,
		"textDocument/didClose":               s.didClose,
		"workspace/didChangeWorkspaceFolders": s.didChangeFolders,
		"workspace/didChangeWatchedFiles":     s.didChangeFiles,
		"workspace/didChangeConfiguration":    s.didChangeFiles,
	}[method]
	if !ok {
		return // the protocol has it so
	}
	if err := handle(params); err != nil {
		s.log(messageError, method+": "+err.Error())
	}
}

// decode reads params into p.
func decode(params json.RawMessage, p any) error {
	if err := json.Unmarshal(params, p); err != nil {
		return &rpcError{codeInvalidParams, err.Error()}
	}
	return nil
}

func (s *session) initialize(params json.RawMessage) (work, error) {
	var p initializeParams
	if err := decode(params, &p); err != nil {
		return nil, err
	}
	s.stage = initialized
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = p.Capabilities
	s.units = negotiate(p.Capabilities.General.PositionEncodings)
	switch {
	case p.WorkspaceFolders != nil:
		for _, f := range p.WorkspaceFolders {
			s.addFolder(f.URI)
		}
	case p.RootURI != "":
		s.addFolder(p.RootURI)
	case p.RootPath != "":
		s.addFolder(uriOf(slashed(p.RootPath)))
	}
	result := initializeResult{
		Capabilities: serverCapabilities{
			TextDocumentSync:       syncOptions{OpenClose: true, Change: syncIncremental},
			HoverProvider:          true,
			CodeActionProvider:     codeActionOptions{[]string{kindQuickFix, kindPinAll}},
			ExecuteCommandProvider: commandOptions{[]string{commandPin, commandExplain}},
			Workspace:              workspaceCapabilities{workspaceFoldersOptions{true, true}},
		},
		ServerInfo: serverInfo{"digestlint", s.Version},
	}
	if len(p.Capabilities.General.PositionEncodings) > 0 {
		result.Capabilities.PositionEncoding = s.units
	}
	return done(result), nil
}

// syncIncremental asks for the changed ranges of a text.
const syncIncremental = 2

// initialized is the first moment at which the editor may be asked something.
func (s *session) initialized(json.RawMessage) error {
	s.mu.Lock()
	watch := s.client.Workspace.DidChangeWatchedFiles.DynamicRegistration
	s.mu.Unlock()
	s.reindex()
	if !watch {
		return nil
	}
	s.tasks.Go(func() {
		// Where the editor refuses, saving still leads to a new look.
		_, _ = s.call(s.ctx, "client/registerCapability", registrationParams{[]registration{{
			ID: "files", Method: "workspace/didChangeWatchedFiles",
			RegisterOptions: watchedOptions{[]watcher{{"**/.digestlint*"}, {"**/.env"}, {"**/*.{yaml,yml}"}}},
		}}})
	})
	return nil
}

func (s *session) shutdown(json.RawMessage) (work, error) {
	s.stage = shut
	s.stop()
	return done(nil), nil
}

// stop ends what goes on by itself.
func (s *session) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.documents {
		d.stop()
	}
	for _, x := range s.indexes {
		x.stop()
	}
}

func (s *session) cancelRequest(params json.RawMessage) error {
	var p cancelParams
	if err := decode(params, &p); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.running[string(p.ID)]; cancel != nil {
		cancel()
	}
	return nil
}

// reply answers a request.
func (s *session) reply(id json.RawMessage, result any, err error) {
	m := &message{ID: id}
	if len(bytes.TrimSpace(id)) == 0 {
		m.ID = json.RawMessage("null")
	}
	if err == nil {
		m.Result, err = json.Marshal(result)
	}
	if err != nil {
		m.Result = nil
		if !errors.As(err, &m.Error) {
			m.Error = &rpcError{codeInternal, err.Error()}
		}
	}
	s.out.put(m)
}

// notify tells the editor something.
func (s *session) notify(method string, params any) {
	data, err := json.Marshal(params)
	if err != nil {
		return // none of our types fails
	}
	s.out.put(&message{Method: method, Params: data})
}

// call asks the editor something.
func (s *session) call(ctx context.Context, method string, params any) (json.RawMessage, error) {
	data, err := json.Marshal(params)
	if err != nil {
		return nil, err
	}
	answer := make(chan *message, 1)
	s.mu.Lock()
	s.called++
	id := fmt.Sprintf(`"digestlint-%d"`, s.called)
	s.calls[id] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.calls, id)
	}()
	s.out.put(&message{ID: json.RawMessage(id), Method: method, Params: data})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case m := <-answer:
		if m.Error != nil {
			return nil, m.Error
		}
		return m.Result, nil
	}
}

// answered takes the answer to one of our requests.
func (s *session) answered(m *message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := string(m.ID)
	if answer := s.calls[id]; answer != nil {
		delete(s.calls, id) // a second answer has nobody to take it
		answer <- m
	}
}

// log writes to the editor's log.
func (s *session) log(kind int, text string) {
	s.notify("window/logMessage", messageParams{kind, "digestlint: " + text})
}

// show tells the user.
func (s *session) show(kind int, text string) {
	s.notify("window/showMessage", messageParams{kind, "digestlint: " + text})
}

// outbox hands messages over in their order, so that an editor that is slow to
// read keeps nobody waiting who has to read what it writes.
type outbox struct {
	mu    sync.Mutex
	cond  *sync.Cond
	queue []*message
	ended bool
	done  chan struct{}
}

func newOutbox(w io.Writer) *outbox {
	o := &outbox{done: make(chan struct{})}
	o.cond = sync.NewCond(&o.mu)
	go o.run(w)
	return o
}

func (o *outbox) put(m *message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = append(o.queue, m)
	o.cond.Signal()
}

func (o *outbox) run(w io.Writer) {
	defer close(o.done)
	for {
		o.mu.Lock()
		for len(o.queue) == 0 && !o.ended {
			o.cond.Wait()
		}
		batch := slices.Clone(o.queue)
		o.queue = o.queue[:0]
		o.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for _, m := range batch {
			if err := writeMessage(w, m); err != nil {
				return // the end of the input says the same
			}
		}
	}
}

// close waits until everything is written, or the editor has had its time.
func (o *outbox) close(wait time.Duration) {
	o.mu.Lock()
	o.ended = true
	o.cond.Signal()
	o.mu.Unlock()
	select {
	case <-o.done:
	case <-time.After(wait):
	}
}
