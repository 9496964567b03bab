package exposure

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/digestlint/digestlint/report"
)

// shellQuote is word as one word of a shell command that people can paste. What
// can't be shown is written as escapes within $'…', which POSIX.1-2024 has from
// bash, ksh and zsh
// (https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02_04):
// neither the terminal that shows the command nor the one that it is pasted into
// obeys it.
//
// A word that starts with "-" is still an option to the command: callers write
// "--flag=word", "kind/word" or "--" before it.
func shellQuote(word string) string {
	switch {
	case word != "" && word[0] != '=' && !strings.ContainsFunc(word, special): // zsh takes =word for a path
		return word
	case report.Visible(word) == word:
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for len(word) > 0 {
		_, n := utf8.DecodeRuneInString(word)
		c := word[:n]
		word = word[n:]
		switch {
		case c == "'" || c == `\`:
			b.WriteString(`\` + c)
		case report.Visible(c) == c:
			b.WriteString(c)
		default:
			for i := range len(c) {
				// Octal takes three digits at most, so that one that
				// follows is not taken for a part of it.
				fmt.Fprintf(&b, `\%03o`, c[i])
			}
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// special reports whether a shell might take r for more than itself.
func special(r rune) bool {
	switch {
	case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
		return false
	}
	return !strings.ContainsRune("-_./:@%+,=", r)
}

// shellCommand joins words, the first of which is a program, to a command.
func shellCommand(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = shellQuote(w)
	}
	return strings.Join(quoted, " ")
}
