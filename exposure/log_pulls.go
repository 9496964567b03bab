package exposure

import (
	"cmp"
	"slices"
	"time"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
)

// logPulls puts the lines of one log together that speak of one pull, so that
// the digest at its end settles the tag at its begin.
//
// A digest that is not listed clears a pull. It is therefore given only to a
// pull of the same name and tag by the same writer, at whose end it stands; a
// pull that begins anew leaves behind what was known.
type logPulls struct {
	set  *advisories.Set
	emit func(Event)
	open []*logPull // in the order of their begin
}

// logPull is a pull, or another use, as far as it is known.
type logPull struct {
	event    Event
	writer   string
	hostless bool // as in logUse
	ended    bool
	listed   bool // an advisory lists a digest of the event
	begin    logMoment
	end      logMoment // once ended
}

// logMoment is a point of a log.
type logMoment struct {
	time time.Time // zero where not known
	line int
}

// near reports whether two moments are at most d apart, or that many lines
// where a time is not known.
func (m logMoment) near(o logMoment, d time.Duration, lines int) bool {
	if m.time.IsZero() || o.time.IsZero() {
		return max(m.line-o.line, o.line-m.line) <= lines
	}
	return m.time.Sub(o.time).Abs() <= d
}

const (
	// maxOpen bounds the pulls that one log has open at a time.
	maxOpen = 256
	// pullTime is how long a pull may take, and beginTime how far apart the
	// lines may be that begin one: a script is shown, its command is echoed,
	// the engine says what it does. Several lines may tell of its end, at
	// most endTime apart. Where no times are known, pullLines and endLines
	// are how many lines lie between.
	pullTime  = time.Hour
	pullLines = 5000
	beginTime = 5 * time.Minute
	endTime   = time.Minute
	endLines  = 10
	// settled is how long an image that was pulled is taken for the one that
	// the same job runs: the longest that GitHub's own runners let a job run
	// (https://docs.github.com/en/actions/reference/limits).
	settled = 6 * time.Hour
)

// add takes the use u, which e says in whole.
func (p *logPulls) add(u logUse, e Event, writer string) {
	pull := p.find(u, e, writer)
	switch {
	case u.phase == failed:
		if pull != nil && !pull.ended {
			p.open = slices.DeleteFunc(p.open, func(o *logPull) bool { return o == pull })
		}
		return
	case pull != nil:
		pull.merge(p.set, u, e)
		return
	}
	if len(p.open) == maxOpen {
		p.emit(p.open[0].event)
		p.open = slices.Delete(p.open, 0, 1)
	}
	now := logMoment{e.Until, e.Place.Line}
	p.open = append(p.open, &logPull{
		event: e, writer: writer, hostless: u.hostless, ended: u.phase == ended,
		listed: listsDigest(p.set, e), begin: now, end: now,
	})
}

// flush ends all pulls.
func (p *logPulls) flush() {
	for _, pull := range p.open {
		p.emit(pull.event)
	}
	p.open = nil
}

// find is the latest pull that the use u at e is part of, or nil.
func (p *logPulls) find(u logUse, e Event, writer string) *logPull {
	var found *logPull
	for _, pull := range slices.Backward(p.open) {
		if pull.writer != writer || pull.event.Place.Job != e.Place.Job {
			continue
		}
		switch pull.fits(u) {
		case fitting:
			if pull.continues(u, e) {
				return pull
			}
		case mayFit:
			if pull.ended || !pull.continues(u, e) {
				continue
			}
			if found != nil {
				return nil
			}
			found = pull
		}
	}
	return found
}

// fit is how sure it is that a use is of the image of a pull.
type fit uint8

const (
	unfit  fit = iota
	mayFit     // if no other pull is under way that it may fit
	fitting
)

// fits compares names, tags and digests.
func (pull *logPull) fits(u logUse) fit {
	ref := pull.event.Ref
	known := ref.Digest != "" || len(pull.event.Digests) > 0
	switch {
	case u.ref.Repository == "" && pull.listed:
		// Without a name, only a listed digest is looked at. More of them are
		// the manifest under the index, and the image's ID.
		return fitting
	case u.ref.Repository == "":
		return mayFit
	case ref.Repository == "" || ref.Path() != u.ref.Path() || !pull.hostless && !u.hostless && ref.Host() != u.ref.Host():
		return unfit
	case u.ref.Digest != "" && known:
		if u.ref.Digest == ref.Digest || slices.Contains(pull.event.Digests, u.ref.Digest) {
			return fitting
		}
		return unfit
	case ref.Digest != "" && u.ref.Digest == "":
		return unfit // pinned; the use is of a tag
	case u.ref.Digest != "" && u.ref.Tag == "":
		if u.phase == ended { // `Pulled image: NAME@DIGEST`
			return mayFit
		}
		return unfit
	case pulledTag(ref) == pulledTag(u.ref):
		return fitting
	}
	return unfit
}

// pulledTag is the tag that a reference without a digest means.
func pulledTag(r image.Reference) string { return cmp.Or(r.Tag, "latest") }

// continues reports whether the use follows what is known of the pull.
func (pull *logPull) continues(u logUse, e Event) bool {
	there := pull.event.Kind == Present && !pull.ended
	now := logMoment{e.Until, e.Place.Line}
	switch {
	case u.phase == starting && (pull.ended || there):
		return false
	case pull.ended && (u.phase == running || pull.settledBy(u)):
		return pull.begin.near(now, settled, pullLines)
	case pull.ended:
		return pull.end.near(now, endTime, endLines)
	case u.phase == ended || u.phase == failed:
		return pull.begin.near(now, pullTime, pullLines)
	}
	return pull.begin.near(now, beginTime, pullLines)
}

// settledBy reports whether the use has a digest that the pull is known to have
// had.
func (pull *logPull) settledBy(u logUse) bool {
	return slices.ContainsFunc(append(slices.Clip(u.digests), u.ref.Digest), func(d string) bool {
		return d != "" && (d == pull.event.Ref.Digest || slices.Contains(pull.event.Digests, d))
	})
}

// merge adds what the use says.
func (pull *logPull) merge(set *advisories.Set, u logUse, e Event) {
	to := &pull.event
	if pull.hostless && !u.hostless {
		to.Ref, pull.hostless = u.ref, false
	}
	digests := e.Digests
	if u.ref.Digest != "" && u.ref.Digest != to.Ref.Digest {
		digests = append(slices.Clip(digests), u.ref.Digest)
	}
	if !pull.listed && listsDigest(set, e) { // show the line that proves it
		to.Text, to.Place.Line, pull.listed = e.Text, e.Place.Line, true
	}
	for _, d := range digests {
		if !slices.Contains(to.Digests, d) {
			to.Digests = append(slices.Clip(to.Digests), d)
		}
	}
	to.ImageID = cmp.Or(to.ImageID, e.ImageID)
	if to.Kind == Named || u.phase == ended && e.Kind != Named {
		to.Kind = e.Kind
	}
	now := logMoment{e.Until, e.Place.Line}
	if !e.Until.IsZero() && (!pull.ended || u.phase == ended && pull.end.near(now, endTime, 0)) {
		if to.From.IsZero() && to.Until.IsZero() {
			to.From = e.From
		}
		if e.Until.After(to.Until) { // some lines know the second only
			to.Until = e.Until
		}
	}
	if u.phase == ended && !pull.ended {
		pull.ended, pull.end = true, now
	}
}

// listsDigest reports whether an advisory lists a digest of e.
func listsDigest(set *advisories.Set, e Event) bool {
	for _, d := range append(slices.Clip(e.Digests), e.Ref.Digest, e.ImageID) {
		if _, ok := set.LookupDigest(d); ok {
			return true
		}
	}
	return false
}
