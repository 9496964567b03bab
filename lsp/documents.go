package lsp

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/report"
)

// document is a text that the editor shows.
type document struct {
	uri     string
	path    string // absolute, with "/"
	version int
	text    *text
	// state counts what may change the judgement: this text, others of its
	// folder, the configuration.
	state    int
	timer    *time.Timer
	cancel   context.CancelFunc // of the judging that is under way
	analysis *analysis          // of this state; nil before it is there
}

// stop ends what goes on about the document.
func (d *document) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
	if d.cancel != nil {
		d.cancel()
	}
}

// slashed is a path of this machine with "/".
func slashed(name string) string { return filepath.ToSlash(name) }

func (s *session) addFolder(uri string) {
	if p, ok := pathOf(uri); ok && !slices.Contains(s.folders, p) {
		s.folders = append(s.folders, p)
	}
}

func (s *session) didChangeFolders(params json.RawMessage) error {
	var p foldersParams
	if err := decode(params, &p); err != nil {
		return err
	}
	s.mu.Lock()
	for _, f := range p.Event.Removed {
		if gone, ok := pathOf(f.URI); ok {
			s.folders = slices.DeleteFunc(s.folders, func(folder string) bool { return folder == gone })
			if x := s.indexes[gone]; x != nil {
				x.stop()
				delete(s.indexes, gone)
			}
		}
	}
	for _, f := range p.Event.Added {
		s.addFolder(f.URI)
	}
	s.mu.Unlock()
	s.reindex()
	s.schedule(nil)
	return nil
}

// folder is the innermost workspace folder that holds the file, or else the
// folder that the file is in.
func (s *session) folder(file string) string {
	best := ""
	for _, f := range s.folders {
		if len(f) > len(best) && strings.HasPrefix(file, strings.TrimSuffix(f, "/")+"/") {
			best = f
		}
	}
	return cmp.Or(best, path.Dir(file))
}

func (s *session) didOpen(params json.RawMessage) error {
	var p documentParams
	if err := decode(params, &p); err != nil {
		return err
	}
	name, ok := pathOf(p.TextDocument.URI)
	if !ok {
		return nil // a text without a name has no format
	}
	d := &document{uri: p.TextDocument.URI, path: name, version: p.TextDocument.Version, text: newText([]byte(p.TextDocument.Text))}
	s.mu.Lock()
	if old := s.documents[d.uri]; old != nil {
		old.stop()
		d.state = old.state
	}
	s.documents[d.uri] = d
	s.mu.Unlock()
	s.schedule(d)
	return nil
}

func (s *session) didChange(params json.RawMessage) error {
	var p documentParams
	if err := decode(params, &p); err != nil {
		return err
	}
	d, err := s.changed(&p)
	if d != nil {
		s.schedule(nil, d.path)
	}
	return err
}

// changed makes the changes of a document, nil where it is not open.
func (s *session) changed(p *documentParams) (*document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.documents[p.TextDocument.URI]
	if d == nil {
		return nil, nil //nolint:nilnil // texts without a name are never open
	}
	t := d.text
	for _, c := range p.ContentChanges {
		var err error
		if t, err = t.change(c, s.units); err != nil {
			return nil, fmt.Errorf("%s: %w", report.Visible(d.uri), err)
		}
	}
	d.text, d.version = t, p.TextDocument.Version
	return d, nil
}

func (s *session) didSave(params json.RawMessage) error {
	s.reindex()
	return s.didChangeFiles(params)
}

// didChangeFiles looks again at everything: at what it was is on disk.
func (s *session) didChangeFiles(json.RawMessage) error {
	s.schedule(nil)
	return nil
}

func (s *session) didClose(params json.RawMessage) error {
	var p documentParams
	if err := decode(params, &p); err != nil {
		return err
	}
	s.mu.Lock()
	d := s.documents[p.TextDocument.URI]
	if d != nil {
		d.stop()
		delete(s.documents, d.uri)
		s.publish(d.uri, nil, nil)
	}
	s.mu.Unlock()
	if d != nil {
		s.schedule(nil, d.path) // what is on disk may be something else
	}
	return nil
}

// forget closes all documents: after a message that was not read nobody knows
// what they hold.
func (s *session) forget(err error) {
	s.mu.Lock()
	for uri, d := range s.documents {
		d.stop()
		delete(s.documents, uri)
		s.publish(uri, nil, nil)
	}
	s.mu.Unlock()
	s.show(messageError, err.Error()+" was not read; open the files again")
}

// schedule has documents judged again: those that share a folder with one of
// the paths, all where there is none. First, if not nil, is judged without
// waiting for it to rest, and the others of its folder are looked at again.
func (s *session) schedule(first *document, paths ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil || s.stage == shut {
		return
	}
	if first != nil {
		paths = append(paths, first.path)
	}
	var folders []string
	for _, p := range paths {
		folders = append(folders, s.folder(p))
	}
	for _, d := range s.documents {
		if len(folders) > 0 && !slices.Contains(folders, s.folder(d.path)) {
			continue
		}
		delay := s.Delay
		if d == first {
			delay = 0
		}
		s.judgeLater(d, delay)
	}
}

// judgeLater judges d after delay, in place of what is under way.
func (s *session) judgeLater(d *document, delay time.Duration) {
	d.stop()
	d.state++
	d.analysis = nil
	ctx, cancel := context.WithCancel(s.ctx)
	d.cancel = cancel
	state := d.state
	d.timer = time.AfterFunc(delay, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.ctx.Err() == nil { // nobody waits for tasks that come later
			s.tasks.Go(func() { s.judge(ctx, d.uri, state) })
		}
	})
}

// snapshot is a document with what it is to be judged by, at one moment.
type snapshot struct {
	uri, path      string
	version, state int
	text           *text
	analysis       *analysis
	folder         string
	units          encoding
	client         *clientCapabilities
	unsaved        *lint.Unsaved
}

// snapshot is the document as it is now; false where it is not open.
func (s *session) snapshot(uri string) (*snapshot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.documents[uri]
	if d == nil {
		return nil, false
	}
	snap := &snapshot{
		uri: d.uri, path: d.path, version: d.version, state: d.state, text: d.text, analysis: d.analysis,
		folder: s.folder(d.path), units: s.units, client: &s.client,
	}
	snap.unsaved = &lint.Unsaved{Folder: snap.folder, Contents: s.contents(snap.folder)}
	if x := s.indexes[snap.folder]; x != nil && x.result != nil {
		snap.unsaved.Spared = x.result.Spared
	}
	return snap, true
}

// contents are the texts of the documents in a folder.
func (s *session) contents(folder string) map[string][]byte {
	all := map[string][]byte{}
	for _, d := range s.documents {
		if strings.HasPrefix(d.path, strings.TrimSuffix(folder, "/")+"/") {
			all[d.path] = d.text.data
		}
	}
	return all
}

// index is what a whole workspace folder says about its images: which of them
// it builds itself, and which it replaces.
type index struct {
	result *lint.Result // nil before it is there
	cancel context.CancelFunc
}

func (x *index) stop() {
	if x.cancel != nil {
		x.cancel()
	}
}

// reindex reads the workspace folders again.
func (s *session) reindex() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, folder := range s.folders {
		x := s.indexes[folder]
		if x == nil {
			x = &index{}
			s.indexes[folder] = x
		}
		x.stop()
		ctx, cancel := context.WithCancel(s.ctx)
		x.cancel = cancel
		unsaved := &lint.Unsaved{Folder: folder, Contents: s.contents(folder)}
		s.tasks.Go(func() {
			defer cancel()
			if res := s.readFolder(ctx, unsaved); res != nil {
				s.indexed(ctx, folder, res)
			}
		})
	}
}

// readFolder reads a folder without judging it; nil where that can't be done.
func (s *session) readFolder(ctx context.Context, unsaved *lint.Unsaved) *lint.Result {
	opts, err := s.Check(unsaved.Folder)
	if err != nil {
		return nil // judging a file of it says so
	}
	opts.Paths, opts.Unsaved, opts.Rules = []string{filepath.FromSlash(unsaved.Folder)}, unsaved, nil
	res, err := lint.Run(ctx, opts)
	if err != nil {
		return nil
	}
	return res
}

func (s *session) indexed(ctx context.Context, folder string, res *lint.Result) {
	s.mu.Lock()
	x := s.indexes[folder]
	current := x != nil && ctx.Err() == nil
	if current {
		x.result = res
	}
	s.mu.Unlock()
	if current {
		s.schedule(nil, path.Join(folder, "x"))
	}
}
