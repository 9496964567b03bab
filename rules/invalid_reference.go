package rules

import (
	"fmt"
	"strings"

	"github.com/digestlint/digestlint/image"
)

// InvalidReference is about texts that no engine can pull.
var InvalidReference = register(Rule{
	Name:     "invalid-reference",
	Severity: Error,
	Summary:  "The text in the place of an image is not a reference to one",
	Why: "No engine can pull it, or not what was meant. The dangerous case is a digest that is none: " +
		"a shortened one, a tag behind `@`, or upper-case digits look pinned to people and to tools that only look for an `@`.\n\n" +
		"The ID of a local image (64 hex digits) is reported too: it is the digest of a configuration, and no registry serves it under that name. " +
		"Placeholders and variables are `unresolved-variable`.",
	Format:    "dockerfile",
	Bad:       "FROM mysql@8.0.44\n",
	Good:      "FROM mysql:8.0.44@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
	Fix:       "Write `[registry/]name[:tag][@sha256:…]`: the name in lower case, the tag behind `:`, the digest whole, 64 lower-case hex digits for sha256.",
	Since:     "0.1",
	Security:  "5.0",
	Precision: "very-high",
	Check: func(p *Pass) {
		for i := range p.Uses {
			u := &p.Uses[i]
			if !u.Judged() || u.Placeholder {
				continue
			}
			if vs := pick(u, invalid); len(vs) > 0 {
				reportInvalid(p, u, vs)
			}
		}
	},
})

// reportInvalid explains the first of the invalid values of a use, and counts
// the others.
func reportInvalid(p *Pass, u *image.Use, vs []*image.Value) {
	message, hint := explainInvalid(vs[0])
	if more := len(vs) - 1; more > 0 {
		message += fmt.Sprintf(" (and %d more of the values here)", more)
	}
	p.reportValues(u, vs, Finding{Severity: severityOf(u), Message: message, Hint: hint})
}

func invalid(v *image.Value) bool { return v.Err != nil || imageID(v.Ref) }

// explainInvalid says what is wrong with v and how to write it.
func explainInvalid(v *image.Value) (message, hint string) {
	if v.Err == nil {
		return fmt.Sprintf("%s is the ID of a local image, not a reference", v.Text),
			"write name:tag@sha256:… with the digest that the registry serves; an image ID is another number"
	}
	return fmt.Sprintf("%q is not a reference: %v", v.Text, v.Err), repair(v)
}

// repair is a hint on what was probably meant.
func repair(v *image.Value) string {
	name, behind, at := strings.Cut(v.Text, "@")
	switch tagged := name + ":" + behind; {
	case at && behind != "" && !strings.ContainsAny(behind, ":@") && valid(tagged):
		return fmt.Sprintf("write %s, then run `digestlint pin PATH`", tagged)
	case valid(strings.ToLower(v.Text)):
		return "write it in lower case: " + strings.ToLower(v.Text)
	case valid(name):
		return fmt.Sprintf("a digest is %q and 64 lower-case hex digits: copy the whole of it, or remove %q and run `digestlint pin PATH`", "sha256:", "@"+behind)
	}
	return "write [registry/]name[:tag][@sha256:…]"
}

func valid(s string) bool {
	_, err := image.Parse(s)
	return err == nil
}
