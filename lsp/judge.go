package lsp

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/config"
	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/parsers"
	"github.com/digestlint/digestlint/report"
	"github.com/digestlint/digestlint/rewrite"
	"github.com/digestlint/digestlint/rules"
	"github.com/digestlint/digestlint/source"
)

// analysis is what one document says, in one state.
type analysis struct {
	opts     lint.Options // of the run, for others like it
	uses     []image.Use
	findings []rules.Finding
	// problems say of each use why pin leaves it alone; empty where it does
	// not.
	problems []string
}

// analyse judges a document, unless that has been done.
func (s *session) analyse(ctx context.Context, snap *snapshot) (*analysis, error) {
	if snap.analysis != nil {
		return snap.analysis, nil
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	opts, err := s.Check(snap.folder)
	if err != nil {
		return nil, err
	}
	opts.Paths, opts.Unsaved, opts.Workers = []string{snap.path}, snap.unsaved, 1
	a := &analysis{opts: opts}
	opts.Each = func(_ *source.File, _ *parsers.Format, res parsers.Result) { a.uses = res.Uses }
	res, err := lint.Run(ctx, opts)
	if err != nil {
		return nil, err
	}
	a.findings = res.Findings
	a.problems = rewrite.Editable(a.uses)
	for i := range a.uses {
		u := &a.uses[i]
		if a.problems[i] == "" && slices.ContainsFunc(u.Values, func(v image.Value) bool { return res.Spared(snap.path, v.Ref.Name()) }) {
			a.problems[i] = "the repository builds it, or gives it another image"
		}
	}
	s.remember(snap, a)
	return a, nil
}

// remember keeps the analysis for as long as nothing changes.
func (s *session) remember(snap *snapshot, a *analysis) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.documents[snap.uri]; d != nil && d.state == snap.state {
		d.analysis = a
	}
}

// judge publishes what there is to say about a document in one state.
func (s *session) judge(ctx context.Context, uri string, state int) {
	snap, ok := s.snapshot(uri)
	if !ok || snap.state != state {
		return
	}
	a, err := s.analyse(ctx, snap)
	if ctx.Err() != nil {
		return
	}
	diagnostics := []diagnostic{}
	if err == nil {
		for i := range a.findings {
			diagnostics = append(diagnostics, s.diagnostic(snap, &a.findings[i]))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.documents[uri]
	if d == nil || d.state != state {
		return
	}
	if mistake := s.configured(snap.folder, err); mistake != nil && uriOf(snap.path) == mistake.URI {
		diagnostics = append(diagnostics, mistake.Diagnostics...)
	}
	s.publish(uri, &snap.version, diagnostics)
}

// publish replaces what the editor shows of a document.
func (s *session) publish(uri string, version *int, diagnostics []diagnostic) {
	if diagnostics == nil {
		diagnostics = []diagnostic{} // null is no list
	}
	if !s.client.TextDocument.PublishDiagnostics.VersionSupport {
		version = nil
	}
	s.notify("textDocument/publishDiagnostics", publishParams{uri, version, diagnostics})
}

// configured tells the user what is wrong with the configuration of a folder,
// once, and takes that back when it is mended. It returns what is to be shown
// in the file of the configuration.
func (s *session) configured(folder string, err error) *publishParams {
	var place *config.Error
	if err == nil {
		if uri := s.mistaken[folder]; uri != "" && s.open(uri) == nil {
			s.publish(uri, nil, nil)
		}
		delete(s.mistaken, folder)
		return nil
	}
	known, told := s.mistaken[folder]
	if !errors.As(err, &place) {
		if !told || known != "" {
			s.mistaken[folder] = ""
			s.show(messageError, report.Visible(err.Error()))
		}
		return nil
	}
	at := position{max(place.Line-1, 0), max(place.Column-1, 0)}
	mistake := &publishParams{URI: uriOf(slashed(place.Path)), Diagnostics: []diagnostic{{
		Range: span{at, position{at.Line, at.Character + 1}}, Severity: severities[rules.Error], Source: "digestlint",
		Message: report.Visible(place.Message),
	}}}
	if !told || known != mistake.URI {
		s.mistaken[folder] = mistake.URI
		s.show(messageError, report.Visible(err.Error()))
	}
	if s.open(mistake.URI) == nil {
		s.publish(mistake.URI, nil, mistake.Diagnostics)
	}
	return mistake
}

// open is the document that shows the file of a URI of ours, or nil.
func (s *session) open(uri string) *document {
	for _, d := range s.documents {
		if uriOf(d.path) == uri {
			return d
		}
	}
	return nil
}

var severities = map[rules.Severity]int{rules.Error: 1, rules.Warning: 2, rules.Info: 3}

// diagnostic is a finding as the protocol has it.
func (s *session) diagnostic(snap *snapshot, f *rules.Finding) diagnostic {
	d := diagnostic{
		Range:    snap.text.span(f.Span.Start, f.Span.End, snap.units),
		Severity: severities[f.Severity],
		Code:     f.Rule.Name,
		Source:   "digestlint",
		Message:  report.Visible(f.Message),
	}
	if f.Hint != "" {
		for line := range strings.SplitSeq(f.Hint, "\n") {
			d.Message += "\n" + report.Visible(line)
		}
	}
	if snap.client.TextDocument.PublishDiagnostics.RelatedInformation {
		for _, r := range f.Related {
			d.Related = append(d.Related, related{snap.place(r), report.Visible(r.Message)})
		}
	}
	return d
}

// place is the place that a finding also speaks of. In a file that is not open
// its column is that of bytes, which is what it is wherever references stand.
func (snap *snapshot) place(r rules.Related) location {
	at := position{r.Start.Line - 1, r.Start.Column - 1}
	if data, ok := snap.unsaved.Contents[r.Path]; ok {
		f := &source.File{Data: data}
		at = newText(data).position(f.Offset(r.Start.Line)+r.Start.Column-1, snap.units)
	}
	path := r.Path
	if !filepath.IsAbs(filepath.FromSlash(path)) {
		path = snap.path
	}
	return location{uriOf(path), span{at, at}}
}
