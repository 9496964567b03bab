package config

import (
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/digestlint/digestlint/image"
)

// Glob is a glob over paths, as [ParseGlob] reads it.
type Glob struct{ text string }

// ParseGlob reads a glob
// (https://pkg.go.dev/github.com/bmatcuk/doublestar/v4#Match) that matches files,
// and folders with all in them. As in .gitignore, one without a slash but at its
// end matches at any depth.
func ParseGlob(s string) (Glob, error) {
	text := strings.TrimSuffix(s, "/")
	if text == "" || !doublestar.ValidatePattern(text) {
		return Glob{}, wrong(s, "is no glob")
	}
	if !strings.Contains(text, "/") {
		return Glob{"**/" + text}, nil
	}
	return Glob{strings.TrimPrefix(text, "./")}, nil
}

// Match reports whether the glob matches the path, which uses "/", or a folder
// above it.
func (g Glob) Match(name string) bool {
	for {
		if doublestar.MatchUnvalidated(g.text, name) {
			return true
		}
		up := path.Dir(name)
		if up == name || up == "." {
			return false
		}
		name = up
	}
}

// glob is the kind of a [Glob] that is relative to the folder of the
// configuration.
var glob = scalar("a glob over paths", parseHere, "!!str").with("minLength", 1).with("not", object{"pattern": outsidePattern})

// outsidePattern is what the text of a glob that leads out of the folder of the
// configuration matches.
const outsidePattern = `^(/|\.\.(/|$))`

// parseHere is [ParseGlob] for one that is relative to the folder of the
// configuration.
func parseHere(s string) (Glob, error) {
	g, err := ParseGlob(s)
	if err == nil && (strings.HasPrefix(s, "/") || strings.HasPrefix(s, "../") || s == "..") {
		err = wrong(s, "has to be relative to the folder of this file, and below it")
	}
	return g, err
}

// Names is a glob over the canonical names of images.
type Names struct{ glob string }

// ParseNames reads a glob over canonical names: those with their registry, and
// on Docker Hub with "library/", as "docker.io/library/*" or "ghcr.io/acme/**".
// One that can't match any image is an error.
func ParseNames(s string) (Names, error) {
	if s == "" || !doublestar.ValidatePattern(s) {
		return Names{}, wrong(s, "is no glob")
	}
	if strings.ToLower(s) != s {
		return Names{}, wrong(s, "has an upper-case letter, and no name has")
	}
	host, repository, ok := strings.Cut(s, "/")
	if strings.HasPrefix(s, "**") {
		return Names{s}, nil
	}
	plain := !strings.ContainsAny(host, "*?[{\\")
	if plain && !strings.ContainsAny(host, ".:") && host != "localhost" {
		return Names{}, wrong(s, "does not start with a registry; write docker.io/"+hubName(s)+" for Docker Hub's")
	}
	if !ok || repository == "" {
		return Names{}, wrong(s, "names no repository; write "+host+"/** for all of a registry")
	}
	if last := repository[strings.LastIndexByte(repository, '/')+1:]; strings.ContainsAny(last, ":@") {
		return Names{}, wrong(s, "has a tag or a digest; it is matched with names alone")
	}
	if plain {
		canonical, err := parseHost(host)
		if err != nil {
			return Names{}, err
		}
		host = canonical
	}
	if host == "docker.io" && !strings.Contains(repository, "/") && !strings.Contains(repository, "**") {
		return Names{}, wrong(s, "matches nothing: official images are below docker.io/library/")
	}
	return Names{host + "/" + repository}, nil
}

// hubName is the path that Docker Hub has for a short name.
func hubName(s string) string {
	ref := image.Reference{Repository: s}
	return ref.Path()
}

// Match reports whether the glob matches a canonical name.
func (n Names) Match(name string) bool { return doublestar.MatchUnvalidated(n.glob, name) }

var names = scalar("a glob over names", ParseNames, "!!str").with("pattern", `^[^A-Z@]*[/*][^A-Z@]*$`)
