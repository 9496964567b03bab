package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
)

// severityOf is the severity of a finding about u where the rule has no reason
// of its own for one. A place that only looks like an image, such as an
// environment variable that holds one, earns no more than an info.
func severityOf(u *image.Use) Severity {
	if u.Confidence == image.Low {
		return Info
	}
	return Off
}

// pick is the values of u that is accepts, each text once, in order.
func pick(u *image.Use, is func(*image.Value) bool) []*image.Value {
	var vs []*image.Value
	for i := range u.Values {
		v := &u.Values[i]
		again := slices.ContainsFunc(vs, func(o *image.Value) bool { return o.Text == v.Text })
		if !again && is(v) {
			vs = append(vs, v)
		}
	}
	return vs
}

// unpinned reports whether v is a valid reference that needs a digest.
func unpinned(v *image.Value) bool {
	return v.Err == nil && !v.Ref.Pinned() && !imageID(v.Ref)
}

// imageID reports whether r is what docker images prints as the ID of an image:
// the digest of its configuration, with or without "sha256:" before it. The
// grammar of references reads it as a name, but no registry serves it
// (https://github.com/distribution/reference, "cannot specify 64-byte
// hexadecimal strings").
func imageID(r image.Reference) bool {
	if r.Registry != "" || r.Digest != "" {
		return false
	}
	if r.Repository == "sha256" {
		return image.ValidDigest("sha256:" + r.Tag)
	}
	return r.Tag == "" && image.ValidDigest("sha256:"+r.Repository)
}

// maxListed is how many things a message names before it counts the rest.
const maxListed = 4

// list joins words for a message: "a", "a and b", "a, b and 5 more".
func list(words []string) string {
	if extra := len(words) - maxListed; extra > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(words[:maxListed], ", "), extra)
	}
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// texts is the texts of values.
func texts(vs []*image.Value) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = v.Text
	}
	return out
}

// be is "is" or "are".
func be(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// pinHint says how the values, none of which has a digest, get one, and what to
// do before that.
func pinHint(u *image.Use, vs []*image.Value, before string) string {
	form := "name:tag@sha256:…"
	if u.DigestOnly {
		form = "name@sha256:…"
	}
	var refused, unsafe []string
	for _, v := range vs {
		if condemned(v.Ref) {
			return "choose another tag first: see compromised-tag"
		}
		switch v.Site.Safety {
		case image.Refused:
			refused = appendNew(refused, v.Site.Reason)
		case image.Unsafe:
			unsafe = appendNew(unsafe, v.Site.Reason)
		}
	}
	switch {
	case len(refused) > 0:
		return before + "`digestlint pin` leaves this one to you: " + strings.Join(refused, "; ")
	case len(unsafe) > 0:
		return before + "`digestlint pin --unsafe` can write the digest: " + strings.Join(unsafe, "; ")
	}
	return before + "run `digestlint pin PATH`, or write " + form
}

// condemned reports whether nobody should use the tag of r at any time, so that
// pinning what it names now is no advice.
func condemned(r image.Reference) bool {
	return slices.ContainsFunc(advisories.Match(r), func(h advisories.TagHit) bool { return h.Verdict == advisories.Never })
}

func appendNew(words []string, word string) []string {
	if word == "" || slices.Contains(words, word) {
		return words
	}
	return append(words, word)
}
