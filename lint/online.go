package lint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/rules"
)

// HostError is a failure of a registry as a whole, whatever reference it was
// met for. It is reported once a host.
type HostError struct {
	Host string
	Err  error
}

func (e *HostError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *HostError) Unwrap() error { return e.Err }

// lookup is one distinct reference with all who ask for it.
type lookup struct {
	ref       image.Reference
	questions []rules.Question // by path and offset
	remote    rules.Remote
	err       error
}

// first is the place of the first use.
func (l *lookup) first() *rules.Finding { return &l.questions[0].Place }

// online asks for what the uses of all files stand for now and lets the rules
// judge the answers. A lookup that fails stops no other.
func (r *run) online(ctx context.Context) {
	if r.opts.Remote == nil {
		return
	}
	lookups := r.lookups()
	refs := make([]image.Reference, len(lookups))
	for i, l := range lookups {
		refs[i] = l.ref
	}
	r.opts.EachReference(ctx, refs, func(ctx context.Context, i int) {
		lookups[i].remote, lookups[i].err = r.opts.Remote(ctx, refs[i])
	})
	for _, l := range lookups {
		for _, q := range l.questions {
			rules.Online(q, l.remote, r.opts.Rules, func(f rules.Finding) { r.result.Findings = append(r.result.Findings, f) })
		}
	}
	r.failures(lookups)
}

// lookups are the distinct references that are worth asking for, in the order
// of their first use.
func (r *run) lookups() []*lookup {
	questions := slices.DeleteFunc(r.questions, func(q rules.Question) bool {
		return r.result.Spared(q.Place.Path, q.Ref.Name())
	})
	slices.SortFunc(questions, func(a, b rules.Question) int {
		return cmp.Or(cmp.Compare(a.Place.Path, b.Place.Path), cmp.Compare(a.Place.Span.Start, b.Place.Span.Start), cmp.Compare(a.Place.Reference, b.Place.Reference))
	})
	var order []*lookup
	known := map[string]*lookup{}
	for _, q := range questions {
		key := q.Ref.Canonical()
		l := known[key]
		if l == nil {
			l = &lookup{ref: q.Ref}
			known[key] = l
			order = append(order, l)
		}
		l.questions = append(l.questions, q)
	}
	return order
}

// failures reports the lookups that failed: one by one, but once where a
// registry as a whole is the reason, and once for all that the time was too
// short for.
func (r *run) failures(lookups []*lookup) {
	hosts := map[string][]*lookup{}
	var late []*lookup
	for _, l := range lookups {
		var host *HostError
		switch {
		case l.err == nil:
		case errors.Is(l.err, context.DeadlineExceeded):
			late = append(late, l)
		case errors.As(l.err, &host):
			hosts[host.Host] = append(hosts[host.Host], l)
		default:
			r.failed([]*lookup{l}, l.err.Error(), hint(l.err))
		}
	}
	for _, of := range hosts {
		r.failed(of, of[0].err.Error(), hint(of[0].err))
	}
	if len(late) > 0 {
		r.failed(late, fmt.Sprintf("look up %s: no answer within the %v for all lookups", late[0].ref, r.opts.Timeout), "give the lookups more time with `--timeout`")
	}
}

// failed reports one failure of several lookups at the first of their uses.
func (r *run) failed(of []*lookup, message, hint string) {
	if n := len(of) - 1; n > 0 {
		message += fmt.Sprintf(" (and %d more)", n)
	}
	at := of[0].first()
	r.fail(Error{Path: at.Path, Line: at.Start.Line, Column: at.Start.Column, Message: message, Hint: hint})
}

// hint is what an error knows to do about itself.
func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}
