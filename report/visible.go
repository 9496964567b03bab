package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible is s with everything that a terminal or the log of a CI job would obey
// rather than show written as an escape: control characters, bytes that are no
// UTF-8, the characters that reorder or hide text, and the start of a logging
// command. File names and file contents come from strangers.
func Visible(s string) string {
	if !strings.ContainsFunc(s, hidden) && !strings.Contains(s, "##") {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		shown, n := glyph(s)
		b.WriteString(shown)
		s = s[n:]
	}
	return b.String()
}

// glyph is how the first character of s is shown, and its length in bytes.
func glyph(s string) (string, int) {
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case r == '#' && logging(s):
		return `\x23`, n
	case !hidden(r):
		return s[:n], n
	case r == utf8.RuneError && n > 1:
		return s[:n], n // the replacement character itself
	case r == '\n':
		return `\n`, n
	case r == '\r':
		return `\r`, n
	case r == '\t':
		return `\t`, n
	case r == utf8.RuneError, r < utf8.RuneSelf:
		return fmt.Sprintf(`\x%02x`, s[0]), n
	case r > 0xffff:
		return fmt.Sprintf(`\U%08x`, r), n
	}
	return fmt.Sprintf(`\u%04x`, r), n
}

// logging reports whether s starts with what makes a logging command of a line
// wherever it stands: "##[" for GitHub Actions
// (https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs),
// "##vso[" for Azure Pipelines
// (https://learn.microsoft.com/en-us/azure/devops/pipelines/scripts/logging-commands),
// and "##teamcity[".
func logging[T string | []byte](s T) bool {
	if len(s) < 2 || s[0] != '#' || s[1] != '#' {
		return false
	}
	for i := 2; i < len(s); i++ {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return s[i] == '['
		}
	}
	return false
}

// LeadingPath is a path as it is shown at the start of a line. A line that starts
// with "::" is a command for GitHub Actions
// (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands),
// so the path is another one of the same file then.
func LeadingPath(path string) string {
	if strings.HasPrefix(strings.TrimSpace(path), "::") {
		path = "./" + path
	}
	return Visible(path)
}

// hidden reports whether r may not reach a terminal as it is. It says so of the
// replacement character, which is what decoding makes of stray bytes.
func hidden(r rune) bool {
	switch {
	case r == utf8.RuneError:
		return true
	case r < ' ', r >= 0x7f && r < 0xa0:
		return true
	case r < 0x300:
		return r == 0xad // a hyphen that shows at line ends only
	}
	return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Cs, unicode.Co)
}

// width is the number of terminal columns that shown text takes.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// runeWidth is a reasonable reading of
// https://www.unicode.org/reports/tr11/: combining marks take no column,
// East-Asian wide characters and pictographs two.
func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	}
	for _, wide := range wideRanges {
		if r >= wide[0] && r <= wide[1] {
			return 2
		}
	}
	return 1
}

var wideRanges = [...][2]rune{
	{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0x33ff}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xa000, 0xa4cf},
	{0xa960, 0xa97f}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe30, 0xfe6f}, {0xff01, 0xff60}, {0xffe0, 0xffe6},
	{0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
}
