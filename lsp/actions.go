package lsp

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/report"
	"github.com/digestlint/digestlint/rewrite"
	"github.com/digestlint/digestlint/rules"
	"github.com/digestlint/digestlint/source"
)

// Kinds of code actions. Pinning is no "source.fixAll": that may be made at
// every save, and asks registries.
const (
	kindQuickFix = "quickfix"
	kindPinAll   = "source.digestlint.pinAll"
)

// Commands that the editor may have executed.
const (
	commandPin     = "digestlint.pin"
	commandExplain = "digestlint.explain"
)

// maxActions is how many findings of a selection have actions of their own.
const maxActions = 8

// codeActions offers what can be done in a range.
func (s *session) codeActions(params json.RawMessage) (work, error) {
	var p documentParams
	if err := decode(params, &p); err != nil {
		return nil, err
	}
	snap, ok := s.snapshot(p.TextDocument.URI)
	if !ok {
		return done(nil), nil
	}
	return func(ctx context.Context) (any, error) {
		a, err := s.analyse(ctx, snap)
		if err != nil {
			return nil, err
		}
		o := &offer{session: s, snap: snap, analysis: a, only: p.Context.Only, actions: []codeAction{}}
		o.selected = source.Span{Start: snap.text.offset(p.Range.Start, snap.units), End: snap.text.offset(p.Range.End, snap.units)}
		o.pins()
		if err := o.findings(ctx); err != nil {
			return nil, err
		}
		return o.answer(), nil
	}, nil
}

// offer is the actions of one range.
type offer struct {
	*session
	*analysis
	snap     *snapshot
	only     []string
	selected source.Span
	actions  []codeAction
}

// wants reports whether the editor asks for a kind of actions.
func (o *offer) wants(kind string) bool {
	return len(o.only) == 0 || slices.ContainsFunc(o.only, func(only string) bool {
		return kind == only || strings.HasPrefix(kind, only+".")
	})
}

// covers reports whether a selection and a range share a place.
func (o *offer) covers(s source.Span) bool {
	return s.Start <= o.selected.End && o.selected.Start <= s.End
}

// pinnable reports whether pin can do something about a use.
func (a *analysis) pinnable(i int) bool {
	u := &a.uses[i]
	return a.problems[i] == "" && u.Judged() && u.Resolved() && !u.Pinned() &&
		!slices.ContainsFunc(u.Values, func(v image.Value) bool { return v.Err != nil })
}

// pins offers to pin the selected uses, and all of the file.
func (o *offer) pins() {
	if !o.snap.client.Workspace.ApplyEdit {
		return
	}
	some, here := false, false
	for i := range o.uses {
		if !o.pinnable(i) {
			continue
		}
		some = true
		u := &o.uses[i]
		if !o.covers(u.Span) || !o.wants(kindQuickFix) || len(o.actions) == maxActions {
			continue
		}
		here = true
		o.add("Pin "+title(u.Raw)+" to its digest (asks its registry)", kindQuickFix, o.diagnosed(u.Span), commandPin,
			pinArguments{URI: o.snap.uri, Version: o.snap.version, Start: &u.Span.Start})
	}
	kind := kindQuickFix
	if !here {
		kind = kindPinAll
	}
	if some && (here || len(o.only) > 0) && o.wants(kind) {
		o.add("Pin all images in this file (asks their registries)", kind, nil, commandPin, pinArguments{URI: o.snap.uri, Version: o.snap.version})
	}
}

// diagnosed are the diagnostics about a missing digest at a place.
func (o *offer) diagnosed(at source.Span) []diagnostic {
	var all []diagnostic
	for i := range o.analysis.findings {
		f := &o.analysis.findings[i]
		if f.Span == at && (f.Rule == rules.UnpinnedImage || f.Rule == rules.FloatingTag || f.Rule == rules.CompromisedTag) {
			all = append(all, o.diagnostic(o.snap, f))
		}
	}
	return all
}

// findings offers to ignore, and to explain, the selected findings.
func (o *offer) findings(ctx context.Context) error {
	if !o.wants(kindQuickFix) {
		return nil
	}
	var explained []*rules.Rule
	n := 0
	for i := range o.analysis.findings {
		f := &o.analysis.findings[i]
		if !o.covers(f.Span) || n == maxActions {
			continue
		}
		n++
		if err := o.ignore(ctx, f); err != nil {
			return err
		}
		if !slices.Contains(explained, f.Rule) {
			explained = append(explained, f.Rule)
			o.add("Explain "+f.Rule.Name, kindQuickFix, nil, commandExplain, f.Rule.Name)
		}
	}
	return nil
}

// ignore offers a comment that hides a finding. The reason is the user's to
// give; until then there is a finding about the comment.
func (o *offer) ignore(ctx context.Context, f *rules.Finding) error {
	edit, ok, err := lint.IgnoreEdit(ctx, o.opts, *f)
	if err != nil || !ok {
		return err
	}
	o.actions = append(o.actions, codeAction{
		Title: "Ignore " + f.Rule.Name + " here (give the reason)", Kind: kindQuickFix,
		Diagnostics: []diagnostic{o.diagnostic(o.snap, f)},
		Edit:        o.workspaceEdit(o.snap, []lint.Change{{Path: o.snap.path, Old: o.snap.text.data, Edits: []rewrite.Edit{edit}}}),
	})
	return nil
}

func (o *offer) add(title, kind string, about []diagnostic, name string, argument any) {
	o.actions = append(o.actions, codeAction{
		Title: title, Kind: kind, Diagnostics: about,
		Command: &command{Title: title, Command: name, Arguments: []any{argument}},
	})
}

// answer is the actions, as mere commands for clients that know no more.
func (o *offer) answer() any {
	if len(o.snap.client.TextDocument.CodeAction.CodeActionLiteralSupport) > 0 {
		return o.actions
	}
	commands := []command{}
	for _, a := range o.actions {
		if a.Command != nil {
			commands = append(commands, *a.Command)
		}
	}
	return commands
}

// title is a reference in a menu.
func title(raw string) string {
	const longest = 60
	text := []rune(report.Visible(raw))
	if len(text) > longest {
		text = append(text[:longest], '…')
	}
	return string(text)
}

// workspaceEdit is changes as the editor takes them. Those of open documents
// hold for the version that was looked at, where the editor knows of versions.
func (s *session) workspaceEdit(snap *snapshot, changes []lint.Change) *workspaceEdit {
	w := &workspaceEdit{}
	for _, c := range changes {
		t := newText(c.Old)
		var edits []textEdit
		for _, e := range c.Edits {
			edits = append(edits, textEdit{t.span(e.Start, e.End, snap.units), e.New})
		}
		doc := versionedDocument{URI: uriOf(c.Path)}
		if c.Path == snap.path {
			doc = versionedDocument{snap.uri, &snap.version}
		}
		if snap.client.Workspace.WorkspaceEdit.DocumentChanges {
			w.DocumentChanges = append(w.DocumentChanges, documentEdit{doc, edits})
			continue
		}
		if w.Changes == nil {
			w.Changes = map[string][]textEdit{}
		}
		w.Changes[doc.URI] = edits
	}
	return w
}
