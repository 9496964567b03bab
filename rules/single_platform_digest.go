package rules

import (
	"fmt"
	"strings"
)

// SinglePlatformDigest is about pins to one platform of several.
var SinglePlatformDigest = register(Rule{
	Name:     "single-platform-digest",
	Severity: Warning,
	Summary:  "An image is pinned to the manifest of one platform where its tag is an index",
	Why: "The tag leads to an index, which lists one manifest a platform; the digest is that of one of them. " +
		"Such digests are easily copied: `docker images --digests` and some web pages show them. " +
		"On every other platform the image fails to start, mostly with \"exec format error\", or is emulated without a word. " +
		"The digest of the index pins the content of all platforms as firmly.",
	Format: "dockerfile",
	Bad: "# The registry: nginx:1.27 leads to the index sha256:fedcba987654…,\n" +
		"# whose linux/amd64 manifest is sha256:0123456789ab….\n" +
		"FROM nginx:1.27@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
	Good: "FROM nginx:1.27@sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210\n",
	Fix: "Replace the digest with that of the index, which the hint names. `digestlint pin --update` leaves such pins alone, since a platform can be meant. " +
		"Where one platform is meant, say so at the place that runs it (`FROM --platform=linux/amd64`, `platform:` in Compose) and ignore the rule there with that reason.",
	Since:     "0.1",
	Precision: "very-high",
	Online: func(a *Answer) {
		now := a.Now
		if now == nil || !now.Index || !a.Ref.Pinned() || a.Gone {
			return
		}
		c, within := now.child(a.Ref.Digest)
		if _, _, bad := now.listedIn(); !within || bad {
			return
		}
		what := strings.TrimSpace(c.Platform + " manifest")
		a.say(fmt.Sprintf("%s is an index, and is pinned to its %s %s here", a.tagged(), what, shortDigest(c.Digest)),
			"for all platforms pin "+now.Digest)
	},
})
