package lsp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/report"
	"github.com/digestlint/digestlint/rewrite"
	"github.com/digestlint/digestlint/rules"
	"github.com/digestlint/digestlint/source"
)

// execute runs a command that a user has chosen.
func (s *session) execute(params json.RawMessage) (work, error) {
	var p executeParams
	if err := decode(params, &p); err != nil {
		return nil, err
	}
	if len(p.Arguments) != 1 {
		return nil, &rpcError{codeInvalidParams, "a command has one argument here"}
	}
	switch p.Command {
	case commandPin:
		return s.pin(p.Arguments[0])
	case commandExplain:
		return s.explain(p.Arguments[0])
	}
	return nil, &rpcError{codeInvalidParams, fmt.Sprintf("%q is no command here", p.Command)}
}

// explain shows why there is a rule and what to do, and answers with its page.
func (s *session) explain(argument json.RawMessage) (work, error) {
	var name string
	if err := decode(argument, &name); err != nil {
		return nil, err
	}
	r := rules.Lookup(name)
	if r == nil {
		return nil, &rpcError{codeInvalidParams, fmt.Sprintf("there is no rule %q", name)}
	}
	return func(context.Context) (any, error) {
		s.show(messageInfo, fmt.Sprintf("%s: %s.\n\n%s\n\n%s", r.Name, r.Summary, r.Why, r.Fix))
		return rules.Page(r), nil
	}, nil
}

// pinArguments say what to pin: of the version of a document, the use that
// starts at a byte, or all without one.
type pinArguments struct {
	URI     string `json:"uri"`
	Version int    `json:"version"`
	Start   *int   `json:"start,omitempty"`
}

// errChanged is an offer that no longer fits.
var errChanged = &rpcError{codeInvalidParams, "the file has changed since this was offered; ask for it again"}

// pin asks the registries, and has the editor write the digests.
func (s *session) pin(argument json.RawMessage) (work, error) {
	var p pinArguments
	if err := decode(argument, &p); err != nil {
		return nil, err
	}
	snap, ok := s.snapshot(p.URI)
	switch {
	case !ok:
		return nil, &rpcError{codeInvalidParams, "the file is not open"}
	case snap.version != p.Version:
		return nil, errChanged
	case !snap.client.Workspace.ApplyEdit:
		return nil, &rpcError{codeInvalidRequest, "the editor lets nobody edit; run `digestlint pin`"}
	}
	return func(ctx context.Context) (any, error) {
		err := s.pinIn(ctx, snap, p.Start)
		if err != nil && ctx.Err() == nil {
			s.show(messageError, report.Visible(err.Error()))
		}
		return nil, err
	}, nil
}

// pinIn pins the use of a document that starts at a byte, or all.
func (s *session) pinIn(ctx context.Context, snap *snapshot, start *int) error {
	a, err := s.analyse(ctx, snap)
	if err != nil {
		return err
	}
	opts := lint.PinOptions{Options: a.opts}
	var use *image.Use
	if start != nil {
		i := slices.IndexFunc(a.uses, func(u image.Use) bool { return u.Span.Start == *start })
		if i < 0 {
			return errChanged
		}
		use = &a.uses[i]
		opts.Only = func(_ string, ref image.Reference) bool {
			return slices.ContainsFunc(use.Values, func(v image.Value) bool { return v.Ref.Canonical() == ref.Canonical() })
		}
	}
	closeSession, err := s.Pin(snap.folder, &opts)
	if err != nil {
		return err
	}
	res, err := lint.Pin(ctx, opts)
	closeSession()
	if err != nil {
		return err
	}
	if res.Interrupted {
		return ctx.Err()
	}
	changes := only(res.Changes, use)
	if len(changes) > 0 {
		if err := s.apply(ctx, snap, changes); err != nil {
			return err
		}
	}
	s.tell(res, use)
	return nil
}

// only leaves of changes what belongs to a use, if there is one: other uses of
// the same reference have been asked for with it.
func only(changes []lint.Change, use *image.Use) []lint.Change {
	if use == nil {
		return changes
	}
	var kept []lint.Change
	for _, c := range changes {
		c.Edits = slices.DeleteFunc(slices.Clone(c.Edits), func(e rewrite.Edit) bool {
			return !slices.ContainsFunc(use.Values, func(v image.Value) bool {
				return v.Site.File != nil && v.Site.File.Path == c.Path && v.Site.Tail.Contains(source.Span{Start: e.Start, End: e.End})
			})
		})
		if len(c.Edits) > 0 {
			kept = append(kept, c)
		}
	}
	return kept
}

// apply has the editor make the changes, unless the document has changed: what
// was looked up is for what was looked at.
func (s *session) apply(ctx context.Context, snap *snapshot, changes []lint.Change) error {
	now, ok := s.snapshot(snap.uri)
	if !ok || now.version != snap.version {
		return errors.New("the file has changed meanwhile; choose the action again")
	}
	answer, err := s.call(ctx, "workspace/applyEdit", applyParams{"Pin images", *s.workspaceEdit(snap, changes)})
	if err != nil {
		return fmt.Errorf("edit %s: %w", snap.path, err)
	}
	var result applyResult
	if err := json.Unmarshal(answer, &result); err != nil {
		return fmt.Errorf("edit %s: %w", snap.path, err)
	}
	if !result.Applied {
		return fmt.Errorf("the editor has not made the edit: %s", result.FailureReason)
	}
	return nil
}

// maxReasons is how many reasons a message holds.
const maxReasons = 5

// tell says what became of the references that are not pinned.
func (s *session) tell(res *lint.PinResult, use *image.Use) {
	var reasons []string
	for _, o := range res.Outcomes {
		if use != nil && o.At != use.Position() {
			continue
		}
		if o.Kind != lint.Pinned && o.Kind != lint.Already {
			reasons = append(reasons, fmt.Sprintf("line %d: %s: %s: %s", o.At.Line, report.Visible(o.Image), o.Kind, report.Visible(o.Reason)))
		}
	}
	if len(reasons) == 0 {
		return
	}
	text := "not pinned:\n" + strings.Join(reasons[:min(len(reasons), maxReasons)], "\n")
	if more := len(reasons) - maxReasons; more > 0 {
		text += fmt.Sprintf("\nand %d more", more)
	}
	s.show(messageWarning, text)
}
