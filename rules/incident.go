package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/image"
)

// hexDigits is how many digits a SHA-256 digest has.
const hexDigits = 64

// listedIn is the listed digests in what u is known to name: in its values,
// read as references or not, and in its text as it stands. Each comes once, in
// the order of the values. The value that has it is nil where it stands in the
// text alone.
func listedIn(u *image.Use) []listed {
	var found []listed
	scan := func(text string, v *image.Value) {
		if len(text) < hexDigits {
			return
		}
		for _, m := range advisories.Scan([]byte(text)) {
			again := slices.ContainsFunc(found, func(o listed) bool { return o.hit.Digest == m.Hit.Digest })
			if !again || v != nil {
				found = append(found, listed{m.Hit, v, again})
			}
		}
	}
	for i := range u.Values {
		scan(u.Values[i].Text, &u.Values[i])
	}
	scan(u.Raw, nil)
	return found
}

// listed is a listed digest in a use.
type listed struct {
	hit   advisories.Hit
	value *image.Value
	// again is set where another value of the use has the digest too.
	again bool
}

// shortDigest is a digest as people recognise it: the algorithm and the first
// twelve digits, as docker prints it.
func shortDigest(digest string) string {
	const digits = len("sha256:") + 12
	if len(digest) <= digits {
		return digest
	}
	return digest[:digits] + "…"
}

// isListed reports whether the advisories list a digest.
func isListed(digest string) bool {
	_, ok := advisories.LookupDigest(digest)
	return ok
}

// describeHit says what a listed digest is.
func describeHit(h advisories.Hit) string {
	what := kindWords(h.Digest)
	if len(h.Digest.Tags) > 0 {
		what += " behind " + list(h.Digest.Tags)
	}
	return fmt.Sprintf("%s, %s (%s: %s)", shortDigest(h.Digest.Digest), what, h.Advisory.ID, h.Advisory.Title)
}

func kindWords(d *advisories.Digest) string {
	switch d.Kind {
	case advisories.Index:
		return "the index"
	case advisories.Config:
		return strings.TrimSpace("the " + d.Platform + " config (image ID)")
	case advisories.Signature:
		return "the signature of an image"
	case advisories.Manifest:
		return "the " + strings.TrimSpace(d.Platform+" manifest")
	}
	return "an image"
}

// knownGood is what to pin instead of ref, in words, and where to read more.
func knownGood(ref image.Reference, a *advisories.Advisory) string {
	goods := slices.DeleteFunc(slices.Clone(advisories.KnownGood(ref)), func(g advisories.Good) bool {
		return g.Certainty.Grade < advisories.Reported
	})
	show := fmt.Sprintf("\nall that is known: `digestlint advisories show %s`", a.ID)
	if len(goods) == 0 {
		return "no clean image of this name is on record" + show
	}
	best := slices.MinFunc(goods, func(x, y advisories.Good) int {
		return cmp.Or(
			cmp.Compare(y.Certainty.Grade, x.Certainty.Grade),
			cmp.Compare(useful(y), useful(x)),
		)
	})
	what := best.What
	if best.Digest != "" {
		good := image.Reference{Registry: ref.Registry, Repository: ref.Repository, Digest: best.Digest}
		if len(best.Tags) > 0 {
			good.Tag = best.Tags[0]
		}
		what = good.String()
	}
	return fmt.Sprintf("known good: %s (%s)", what, briefly(best.Certainty)) + show
}

// briefly is a certainty with the first of its qualifications.
func briefly(c advisories.Certainty) string {
	c.Words, _, _ = strings.Cut(c.Words, ";")
	return c.String()
}

// useful orders what can be pinned: an index runs everywhere, a manifest on one
// platform, and a word on versions has still to be resolved.
func useful(g advisories.Good) int {
	switch {
	case g.Digest == "":
		return 0
	case g.Kind == advisories.Index:
		return 2
	}
	return 1
}
