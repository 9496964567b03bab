// Package image is the model that parsers fill and everything else reads: a
// [Reference] is the name of an image as somebody wrote it, a [Use] is a place
// in a file that names one.
package image

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Reference is an image reference as written, taken apart. No part is
// normalised: String gives back what was parsed. It follows the grammar of
// https://github.com/distribution/reference (reference.go), except that an
// upper-case repository or a malformed digest is an error with its own words.
type Reference struct {
	Registry   string // host with port as written; empty where none stands
	Repository string // path without the registry
	Tag        string // without ":"
	Digest     string // algorithm:hex, without "@"
}

// SyntaxError says why a string is no reference.
type SyntaxError struct {
	Offset  int // byte in the string where it goes wrong
	Message string
}

func (e *SyntaxError) Error() string { return e.Message }

// dockerHub is the canonical registry host of references without one.
const dockerHub = "docker.io"

// Limits of the grammar, in bytes.
const (
	maxName = 255
	maxTag  = 128
)

// Parse takes s apart. On an error the parts found so far are returned with a
// [*SyntaxError].
func Parse(s string) (Reference, error) {
	var r Reference
	if s == "" {
		return r, &SyntaxError{0, "an empty reference"}
	}
	name := s
	if at := strings.IndexByte(s, '@'); at >= 0 {
		name, r.Digest = s[:at], s[at+1:]
	}
	slash := strings.LastIndexByte(name, '/')
	colon := strings.LastIndexByte(name, ':')
	tagged := colon > slash
	if tagged {
		name, r.Tag = name[:colon], name[colon+1:]
	}
	r.Registry, r.Repository = splitRegistry(name)
	if err := checkName(r.Registry, r.Repository); err != nil {
		return r, err
	}
	if tagged {
		if err := checkTag(r.Tag, len(name)+1); err != nil {
			return r, err
		}
	}
	if at := strings.IndexByte(s, '@'); at >= 0 {
		if err := checkDigest(r.Digest); err != nil {
			return r, &SyntaxError{at + 1, err.Error()}
		}
	}
	return r, nil
}

// splitRegistry cuts the host off a name: the first component is a host when it
// has a dot, a colon or an upper-case letter, or is "localhost".
func splitRegistry(name string) (registry, repository string) {
	first, rest, ok := strings.Cut(name, "/")
	if !ok {
		return "", name
	}
	if first == "localhost" || strings.ContainsAny(first, ".:") || strings.ToLower(first) != first {
		return first, rest
	}
	return "", name
}

func checkName(registry, repository string) error {
	if len(registry)+1+len(repository) > maxName {
		return &SyntaxError{0, fmt.Sprintf("a name of more than %d bytes", maxName)}
	}
	at := 0
	if registry != "" {
		if i, ok := badHost(registry); !ok {
			return &SyntaxError{i, fmt.Sprintf("%q is not a registry host", registry)}
		}
		at = len(registry) + 1
	}
	if repository == "" {
		return &SyntaxError{at, "no repository name"}
	}
	for _, part := range strings.Split(repository, "/") {
		if part == "" {
			return &SyntaxError{at, "an empty part between slashes"}
		}
		for i := 0; i < len(part); i++ {
			c := part[i]
			switch {
			case isLower(c) || isDigit(c):
			case c >= 'A' && c <= 'Z':
				return &SyntaxError{at + i, fmt.Sprintf("upper case in the repository name %q", repository)}
			case c != '.' && c != '_' && c != '-':
				return &SyntaxError{at + i, fmt.Sprintf("%q in the repository name %q", runeAt(part, i), repository)}
			case i == 0 || i == len(part)-1 || !separator(part, i):
				return &SyntaxError{at + i, fmt.Sprintf("misplaced %q in the repository name %q", string(rune(c)), repository)}
			}
		}
		at += len(part) + 1
	}
	return nil
}

// runeAt is the character of s that starts at byte i.
func runeAt(s string, i int) string {
	_, size := utf8.DecodeRuneInString(s[i:])
	return s[i : i+size]
}

// separator reports whether the run of separators that part[i] belongs to is
// one of ".", "_", "__" and any number of "-".
func separator(part string, i int) bool {
	lo, hi := i, i+1
	for lo > 0 && strings.IndexByte("._-", part[lo-1]) >= 0 {
		lo--
	}
	for hi < len(part) && strings.IndexByte("._-", part[hi]) >= 0 {
		hi++
	}
	run := part[lo:hi]
	return run == "." || run == "_" || run == "__" || strings.Trim(run, "-") == ""
}

// badHost is the offset of the first byte that no registry host has there.
func badHost(host string) (int, bool) {
	name, port, ok := strings.Cut(host, ":")
	if strings.HasPrefix(host, "[") { // an IPv6 literal
		end := strings.IndexByte(host, ']')
		if end < 0 {
			return 0, false
		}
		for i := 1; i < end; i++ {
			if c := host[i]; c != ':' && !isHex(c) && (c < 'A' || c > 'F') {
				return i, false
			}
		}
		name, port, ok = "ipv6", strings.TrimPrefix(host[end+1:], ":"), len(host) > end+1
	}
	if ok {
		if port == "" {
			return len(host), false
		}
		for i := 0; i < len(port); i++ {
			if !isDigit(port[i]) {
				return len(host) - len(port) + i, false
			}
		}
	}
	at := 0
	for _, label := range strings.Split(name, ".") {
		if label == "" {
			return at, false
		}
		for i := 0; i < len(label); i++ {
			c := label[i]
			alnum := isLower(c) || isDigit(c) || c >= 'A' && c <= 'Z'
			if !alnum && (c != '-' || i == 0 || i == len(label)-1) {
				return at + i, false
			}
		}
		at += len(label) + 1
	}
	return 0, true
}

func checkTag(tag string, at int) error {
	if tag == "" {
		return &SyntaxError{at, `nothing after ":"`}
	}
	if len(tag) > maxTag {
		return &SyntaxError{at, fmt.Sprintf("a tag of more than %d bytes", maxTag)}
	}
	for i := 0; i < len(tag); i++ {
		c := tag[i]
		word := isLower(c) || isDigit(c) || c == '_' || c >= 'A' && c <= 'Z'
		if !word && (i == 0 || c != '.' && c != '-') {
			return &SyntaxError{at + i, fmt.Sprintf("%q in the tag %q", runeAt(tag, i), tag)}
		}
	}
	return nil
}

// hexLength is the number of hex digits that a digest of each registered
// algorithm has
// (https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests).
func hexLength(algorithm string) int {
	switch algorithm {
	case "sha256":
		return 64
	case "sha384":
		return 96
	case "sha512":
		return 128
	}
	return 0
}

func checkDigest(d string) error {
	algorithm, hex, ok := strings.Cut(d, ":")
	n := hexLength(algorithm)
	switch {
	case !ok || algorithm == "":
		return fmt.Errorf("%q after \"@\" is not a digest (a tag stands after \":\")", d)
	case n == 0:
		return fmt.Errorf("%q is not a digest algorithm", algorithm)
	case len(hex) != n:
		return fmt.Errorf("a %s digest has %d hex digits, this one %d", algorithm, n, len(hex))
	}
	for i := 0; i < len(hex); i++ {
		if !isHex(hex[i]) {
			return fmt.Errorf("%q in a %s digest (lower-case hex digits only)", runeAt(hex, i), algorithm)
		}
	}
	return nil
}

// ValidDigest reports whether d is algorithm:hex with the right number of
// lower-case digits.
func ValidDigest(d string) bool { return checkDigest(d) == nil }

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isHex(c byte) bool   { return isDigit(c) || c >= 'a' && c <= 'f' }

// String is the reference as it was written.
func (r Reference) String() string {
	var b strings.Builder
	b.WriteString(r.Written())
	if r.Tag != "" {
		b.WriteByte(':')
		b.WriteString(r.Tag)
	}
	if r.Digest != "" {
		b.WriteByte('@')
		b.WriteString(r.Digest)
	}
	return b.String()
}

// Written is the name as written: registry and repository, no tag, no digest.
func (r Reference) Written() string {
	if r.Registry == "" {
		return r.Repository
	}
	return r.Registry + "/" + r.Repository
}

// Host is the canonical registry host: docker.io where none is written or one
// of Docker Hub's other names is.
func (r Reference) Host() string {
	switch r.Registry {
	case "", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com":
		return dockerHub
	}
	return strings.ToLower(r.Registry)
}

// Path is the canonical repository within the host: Docker Hub's official
// images get their "library/".
func (r Reference) Path() string {
	if r.Host() == dockerHub && r.Repository != "" && !strings.Contains(r.Repository, "/") {
		return "library/" + r.Repository
	}
	return r.Repository
}

// Name is the canonical name, "docker.io/library/nginx" for "nginx".
func (r Reference) Name() string { return r.Host() + "/" + r.Path() }

// Canonical is the whole reference under its canonical name. A reference with
// neither tag nor digest has the tag "latest", as every engine reads it.
func (r Reference) Canonical() string {
	c := Reference{Registry: r.Host(), Repository: r.Path(), Tag: r.Tag, Digest: r.Digest}
	if c.Tag == "" && c.Digest == "" {
		c.Tag = "latest"
	}
	return c.String()
}

// Pinned reports whether the reference carries a digest. Parse has checked it.
func (r Reference) Pinned() bool { return r.Digest != "" }

// Placeholder reports whether s is a text that something other than the shell
// or the format itself fills in later, such as "<IMAGE>", "{{ image }}",
// "%%IMAGE%%", "@IMAGE@" or "REPLACE_ME".
func Placeholder(s string) bool {
	switch {
	case strings.Contains(s, "{{"), strings.Contains(s, "<%"), strings.Contains(s, "%%"), strings.Contains(s, "[["):
		return true
	case strings.ContainsAny(s, "<>"):
		return true
	case strings.HasPrefix(s, "__") && strings.HasSuffix(s, "__"), strings.Contains(s, "((") && strings.Contains(s, "))"):
		return true
	}
	if first := strings.IndexByte(s, '@'); first >= 0 { // @IMAGE@, name:@TAG@
		if last := strings.LastIndexByte(s, '@'); last > first+1 && isName(s[first+1:last]) {
			return true
		}
	}
	shout := strings.ToUpper(s)
	for _, word := range []string{"REPLACE", "PLACEHOLDER", "CHANGEME", "CHANGE_ME", "CHANGE-ME"} {
		if strings.Contains(shout, word) && (s == shout || strings.Contains(s, word)) {
			return true
		}
	}
	// A bare word in capitals is what people write for "your image here";
	// no registry has a name like it.
	return len(s) > 1 && s == shout && isName(s) && strings.ContainsAny(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
}

func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !isLower(c) && !isDigit(c) && c != '_' && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != ""
}

// IsSyntax reports whether err is a reference's syntax error, and gives it.
func IsSyntax(err error) (*SyntaxError, bool) {
	var s *SyntaxError
	ok := errors.As(err, &s)
	return s, ok
}
