package parsers

import (
	"bytes"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Bazel reads the calls of Bazel's rules for images: those of rules_oci
// (https://github.com/bazel-contrib/rules_oci/blob/main/docs/pull.md),
// rules_img and rules_docker, and the images that remote execution runs in
// (https://bazel.build/remote/rbe). The digest of an image is an attribute of
// its own.
var Bazel = register(Format{
	Name:    "bazel",
	Title:   "Bazel",
	Files:   "`WORKSPACE`, `MODULE.bazel`, `BUILD`, `*.bzl` and their like.",
	Places:  "`oci_pull`, `container_pull` and the like, with the digest in its attribute; images for remote execution; names under which images are pushed, which are outputs.",
	Comment: "#",
	Detect:  detectBazel,
	Parse:   parseBazel,
})

// bazelWords are in every file that names an image.
var bazelWords = []string{
	"oci_pull", "oci.pull", "container_pull", "docker_pull", "oci_push", "container_push", "docker_push", "image_push",
	"repo_tags", "container_bundle", "image_load", ".pull(", "pull(", "container-image",
}

func detectBazel(c *Candidate) Certainty {
	base := c.base
	switch {
	case base == "WORKSPACE", base == "WORKSPACE.bazel", base == "WORKSPACE.bzlmod", base == "MODULE.bazel",
		base == "BUILD.bazel", strings.HasSuffix(base, ".MODULE.bazel"), strings.HasSuffix(base, ".bzl"):
		return Path
	case base == "BUILD" && bytes.IndexByte(c.Data, '(') >= 0 && !bytes.HasPrefix(c.Data, []byte("#!")):
		return Likely
	}
	return No
}

// bazel is one file being read.
type bazel struct {
	*starlark
	pass *Pass
}

func parseBazel(p *Pass) {
	if !containsAny(p.Text.Data, bazelWords) {
		return
	}
	c := classStarlark
	if strings.HasSuffix(p.Text.File.Path, ".bzl") {
		c = classLoadable
	}
	b := &bazel{starlark: readStarlark(p.Text, c), pass: p}
	for k := range b.tokens {
		switch b.kind(k) {
		case starName:
			b.find(k)
		case starString:
			b.executor(k)
		}
	}
}

// find reads the call at token k.
func (b *bazel) find(k int) {
	args, ok := b.call(k)
	if !ok {
		return
	}
	name := b.word(k)
	if name == "maybe" && len(args) > 0 && args[0].key < 0 && args[0].to == args[0].from+1 {
		name = b.word(args[0].from)
	}
	label := name
	if n := b.argument(args, "name", -1); n != nil {
		label += " " + b.textOf(n.starRange).String()
	}
	switch name {
	case "oci_pull", "container_pull", "docker_pull", "oci_image_pull":
		b.pull(args, label)
	case "pull":
		// Of a module extension ("oci.pull"), or the rule of rules_img.
		if b.is(k-1, ".") && b.argument(args, "image", -1) != nil || b.argument(args, "digest", -1) != nil || b.argument(args, "registry", -1) != nil {
			b.pull(args, label)
		}
	case "oci_push", "container_push", "docker_push", "image_push", "oci_image_push":
		b.push(args, label)
	case "container_bundle", "docker_bundle":
		b.bundle(args, label)
	case "oci_tarball", "oci_load", "image_load":
		b.tags(args, label)
	}
}

// pull reads an image whose parts are attributes: "image" or "repository",
// "registry", "tag" and "digest".
func (b *bazel) pull(args []starArg, label string) {
	name := b.argument(args, "repository", -1)
	attribute := "repository"
	if i := b.argument(args, "image", -1); i != nil && !b.none(i.starRange) {
		name, attribute = i, "image"
	}
	if name == nil || b.none(name.starRange) {
		return
	}
	values := b.name(args, name)
	tag, digest := b.argument(args, "tag", -1), b.argument(args, "digest", -1)
	t := cutScheme(b.textOf(name.starRange))
	ref, _ := image.Parse(t.String())
	joined := func(with string, x starRange) []expr {
		return product(product(values, []expr{{joiner(t, with)}}), b.eval(x))
	}
	if tag != nil && !b.none(tag.starRange) && ref.Tag == "" && ref.Digest == "" {
		values = joined(":", tag.starRange)
	}
	f := found{text: t, pointer: label + "." + attribute}
	if digest != nil && !b.none(digest.starRange) {
		values = joined("@", digest.starRange)
	} else if ref.Digest == "" {
		f.site = b.digestSite(digest, name, values)
	}
	f.values = values
	b.pass.Use(f)
}

// name is the texts of an image's registry and repository.
func (b *bazel) name(args []starArg, name *starArg) []expr {
	values := b.eval(name.starRange)
	if t := b.textOf(name.starRange); len(cutScheme(t).Data) < len(t.Data) {
		values = []expr{literal(cutScheme(t))}
	}
	if r := b.argument(args, "registry", -1); r != nil && !b.none(r.starRange) && name.name != "image" {
		host := product(trimSlash(b.eval(r.starRange)), []expr{{joiner(b.textOf(name.starRange), "/")}})
		values = product(host, values)
	}
	return values
}

// digestSite is where the digest of a pull goes that has none: a new attribute
// in front of the one that names the image, or the empty one.
func (b *bazel) digestSite(digest, name *starArg, values []expr) *image.Site {
	f := b.text.File
	at, exact := b.text.Span(b.tokens[name.key].start, b.tokens[name.key].end)
	for _, e := range values {
		for _, p := range e {
			if len(p.chain) > 0 {
				return &image.Site{File: f, Tail: at, Safety: image.Refused, Reason: "its parts come from variables; write the digest by hand"}
			}
		}
	}
	if digest != nil || !exact {
		if digest != nil && digest.to == digest.from+1 && b.kind(digest.from) == starString {
			t := b.tokens[digest.from]
			if span, exact := b.text.Span(t.start+1, t.end-1); exact && span.Empty() {
				return &image.Site{File: f, Tail: span, Key: true}
			}
		}
		return &image.Site{File: f, Tail: at, Safety: image.Refused, Reason: "its digest attribute is no plain text; write it by hand"}
	}
	between := b.text.Data[b.tokens[name.key-1].end:b.tokens[name.key].start]
	if len(bytes.TrimSpace(between)) > 0 || len(between) == 0 {
		between = []byte(" ") // a comment
	}
	return &image.Site{File: f, Tail: source.Span{Start: at.Start, End: at.Start}, Key: true,
		Before: `digest = "`, After: `",` + string(between)}
}

// push reads the name under which an image is pushed.
func (b *bazel) push(args []starArg, label string) {
	name := b.argument(args, "repository", -1)
	if name == nil || b.none(name.starRange) {
		return
	}
	values := b.name(args, name)
	if tag := b.argument(args, "tag", -1); tag != nil && !b.none(tag.starRange) {
		values = product(product(values, []expr{{joiner(b.textOf(name.starRange), ":")}}), b.eval(tag.starRange))
	}
	b.pass.Use(found{text: b.textOf(name.starRange), values: values, role: image.Output, pointer: label + ".repository"})
}

// tags reads the names that an image gets where it is loaded.
func (b *bazel) tags(args []starArg, label string) {
	if x := b.argument(args, "repo_tags", -1); x != nil {
		items, _ := b.list(x.starRange)
		for i, item := range items {
			b.output(item.starRange, label+".repo_tags"+pointerIndex(i))
		}
	}
	if x := b.argument(args, "tag", -1); x != nil && strings.HasPrefix(label, "image_load") {
		b.output(x.starRange, label+".tag")
	}
}

// bundle reads the names of the images in a bundle.
func (b *bazel) bundle(args []starArg, label string) {
	x := b.argument(args, "images", -1)
	if x == nil {
		return
	}
	at := b.follow(x.starRange)
	if !b.is(at.from, "{") || b.tokens[at.from].mate < 0 {
		return
	}
	for _, entry := range b.args(at.from) {
		if entry.entry.to > entry.entry.from {
			b.output(entry.entry, label+".images")
		}
	}
}

func (b *bazel) output(x starRange, pointer string) {
	b.pass.Use(found{text: b.textOf(x), values: b.eval(x), role: image.Output, pointer: pointer})
}

// executor reads the image that remote execution runs actions in: the entry
// "container-image" of execution properties.
func (b *bazel) executor(k int) {
	if b.tokens[k].content.String() != "container-image" || !b.is(k+1, ":") {
		return
	}
	x := starRange{k + 2, k + 2}
	for x.to < len(b.tokens) && !b.is(x.to, ",") && !b.is(x.to, "}") && b.kind(x.to) != starNewline {
		x.to = b.step(x.to)
	}
	x.to = min(x.to, len(b.tokens))
	t := b.textOf(x)
	if x.to != x.from+1 || b.kind(x.from) != starString {
		return
	}
	if image := cutScheme(t); len(image.Data) < len(t.Data) {
		b.pass.Use(found{text: image, pointer: "container-image"})
	}
}
