package parsers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/digestlint/digestlint/source"
)

func groovyOf(src string) *groovySource {
	return lexGroovy(source.Whole(&source.File{Path: "Jenkinsfile", Data: []byte(src)}))
}

// show writes tokens as the tests below expect them: strings between "‹" and
// "›" with their decoded content, newlines as "⏎".
func (g *groovySource) show() string {
	var out []string
	for k, t := range g.tokens {
		switch t.kind {
		case groovyNewline:
			out = append(out, "⏎")
		case groovyString:
			out = append(out, "‹"+g.literal(k).text.String()+"›")
		default:
			out = append(out, g.word(k))
		}
	}
	return strings.Join(out, " ")
}

func TestLexGroovy(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"names and dots", "docker.image($a_1)", "docker . image ( $a_1 )"},
		{"numbers", "1.5 1..5 3.times 0x1F 10L", "1.5 1 .. 5 3 . times 0x1F 10L"},
		{"newlines end statements", "a\n\n\nb\n", "a ⏎ b ⏎"},
		{"newlines in parentheses", "f(\n1,\n[\n2\n]\n)\nb", "f ( 1 , [ 2 ] ) ⏎ b"},
		{"newlines in a closure in parentheses", "f({\na\n})", "f ( { ⏎ a ⏎ } )"},
		{"a line goes on behind an operator", "x = 'a' +\n'b'\ny", "x = ‹a› + ‹b› ⏎ y"},
		{"a line goes on before a dot", "docker.image('x')\n  .inside {}", "docker . image ( ‹x› ) . inside { }"},
		{"a line goes on behind a backslash", "a \\\n b \\\r\n c", "a b c"},
		{"an import of everything ends its line", "import a.*\nb", "import a . * ⏎ b"},
		{"comments", "a // 'x'\n/* \" */ b /* c", "a ⏎ b"},
		{"shebang", "#!groovy\na", "a"},
		{"annotation", "@Library('l@1') _", "@ Library ( ‹l@1› ) _"},
		{"operators", "a ?: b ==~ c -> d?.e <=> f", "a ?: b ==~ c -> d ?. e <=> f"},
		{"single quotes", `'a\'b\\c\n$x ${y}'`, "‹a'b\\c\n$x ${y}›"},
		{"double quotes", `"a\"b\$c\u0041\101\q"`, `‹a"b$cAA\q›`},
		{"an unfinished escape of Unicode", `'\u12' '\uXYZW'`, `‹\u12› ‹\uXYZW›`},
		{"triple quotes", "'''a\n'b''' '''''' \"\"\"c\"\"d\"\"\"", "‹a\n'b› ‹› ‹c\"\"d›"},
		{"an escaped line break", "'''\\\na\\\r\nb'''", "‹ab›"},
		{"slashy", `x = /a\/b\d"/ + 1`, `x = ‹a/b\d"› + 1`},
		{"slashes divide behind operands", "a / b / 2 / (c) / d[1] / 'e'", "a / b / 2 / ( c ) / d [ 1 ] / ‹e›"},
		{"a slash alone", "x = / 1\ny = 2", "x = / 1 ⏎ y = 2"},
		{"slashy behind a keyword", "return /a/", "return ‹a›"},
		{"dollar slashy", "sh $/a$$b$/c/d\n/$ x", "sh ‹a$b/c/d\n› x"},
		{"dollar slashy without an end", "x = $/a", "x = $ / a"},
		{"an unfinished string ends with its line", "'a\nb \"c\nd", "‹a› ⏎ b ‹c› ⏎ d"},
		{"an unfinished triple string ends with the text", "'''a\nb", "‹a\nb›"},
		{"quotes in an interpolation", `"a ${b("}")} c" d`, `‹a ${b("}")} c› d`},
		{"strings in interpolations in strings", `"${"${"x"}"}" y`, `‹${"${"x"}"}› y`},
		{"braces in an interpolation", `"${l.collect { "{$it" }}" y`, `‹${l.collect { "{$it" }}› y`},
		{"a slashy in an interpolation", `"${a.replaceAll(/"/, '')}" y`, `‹${a.replaceAll(/"/, '')}› y`},
		{"a division in an interpolation", `"${a / b}" + "/"`, `‹${a / b}› + ‹/›`},
		{"no interpolation", `"cost: $ 5 $" x`, "‹cost: $ 5 $› x"},
		{"Windows lines", "a\r\n'''b\r\nc'''\r\n", "a ⏎ ‹b\r\nc› ⏎"},
		{"no ASCII", "été = 'é'", "été = ‹é›"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, groovyOf(c.src).show()); diff != "" {
				t.Errorf("tokens of %q (-want +got):\n%s", c.src, diff)
			}
		})
	}
}

func TestGroovyLiteral(t *testing.T) {
	type part struct{ Text, Expr, Name string }
	for _, c := range []struct {
		src   string
		text  string
		parts []part
	}{
		{`"a:$TAG"`, "a:$TAG", []part{{"$TAG", "TAG", "TAG"}}},
		{`"$env.REG/x:${params.TAG}."`, "$env.REG/x:${params.TAG}.", []part{{"$env.REG", "env.REG", "env.REG"}, {"${params.TAG}", "params.TAG", "params.TAG"}}},
		{`"\"$a.b.\$c"`, `"$a.b.$c`, []part{{"$a.b", "a.b", "a.b"}}},
		{`"\n${ a?.b }${m['k']}${}"`, "\n${ a?.b }${m['k']}${}", []part{{"${ a?.b }", " a?.b ", "a.b"}, {"${m['k']}", "m['k']", ""}, {"${}", "", ""}}},
		{`'$a'`, "$a", nil},
		{"/$a\\/${b}/", "$a/${b}", []part{{"$a", "a", "a"}, {"${b}", "b", "b"}}},
		{"$/$$a $b/$", "$a $b", []part{{"$b", "b", "b"}}},
		{`"${a`, "${a", []part{{"${a", "a", "a"}}},
	} {
		g := groovyOf(c.src)
		if g.kind(0) != groovyString {
			t.Errorf("%q begins with no string", c.src)
			continue
		}
		lit := g.literal(0)
		var got []part
		for _, i := range lit.interpolations {
			got = append(got, part{string(lit.text.Data[i.start:i.end]), i.expr, i.name})
		}
		if diff := cmp.Diff(c.text, lit.text.String()); diff != "" {
			t.Errorf("content of %q (-want +got):\n%s", c.src, diff)
		}
		if diff := cmp.Diff(c.parts, got); diff != "" {
			t.Errorf("interpolations of %q (-want +got):\n%s", c.src, diff)
		}
	}
}

func TestGroovyLiteralPlaces(t *testing.T) {
	g := groovyOf(`x = "a\tnginx:1 ${b}"`)
	lit := g.literal(2)
	at := strings.Index(lit.text.String(), "nginx:1")
	span, exact := lit.text.Span(at, at+len("nginx:1"))
	if !exact || string(g.text.File.Slice(span)) != "nginx:1" {
		t.Errorf("the text behind an escape stands at %v, exact %v", span, exact)
	}
	if _, exact := lit.text.Span(0, 3); exact {
		t.Error("a text with an escape in it claims to stand in the file as it is")
	}
	if got := string(g.text.Data[lit.start:lit.end]); got != `a\tnginx:1 ${b}` {
		t.Errorf("the content without quotes is %q", got)
	}
}

func TestGroovyBrackets(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"f ( a [ 1 ] ) { }", "1:6 3:5 7:8"},
		{"f ( { a ) } b", "2:5"},
		{"} ) ] (", ""},
		{"{ ( [ } ( )", "0:3 4:5"},
	} {
		var got []string
		for k, tok := range groovyOf(c.src).tokens {
			if tok.mate > k {
				got = append(got, fmt.Sprintf("%d:%d", k, tok.mate))
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("pairs of %q are %q, want %q", c.src, s, c.want)
		}
	}
}

// hostileGroovy are shapes that a careless lexer reads again and again.
func hostileGroovy(n int) map[string]string {
	return map[string]string{
		"quotes":                strings.Repeat(`'`, n),
		"double quotes":         strings.Repeat(`"`, n),
		"open interpolations":   strings.Repeat(`"${`, n),
		"bare interpolations":   `"` + strings.Repeat("${", n),
		"dollars":               `"` + strings.Repeat("$", n),
		"paths":                 `"` + strings.Repeat("$a.", n),
		"escapes":               "'" + strings.Repeat(`\`, n),
		"slashes":               strings.Repeat("=/", n),
		"escaped slashes":       strings.Repeat(`=\/`, n),
		"slashes within":        `"${` + strings.Repeat(`(/\`, n),
		"dollar slashes":        strings.Repeat("$/", n),
		"comments":              strings.Repeat("/*", n),
		"open brackets":         strings.Repeat("([{", n),
		"closing brackets":      strings.Repeat("}])", n),
		"half pairs":            strings.Repeat("{(", n) + strings.Repeat("}", n),
		"lines":                 strings.Repeat("(\n", n) + strings.Repeat("a\n", n),
		"lines before dots":     strings.Repeat("a\n.b", n),
		"unfinished raw string": strings.Repeat("'''a\"\"\"", n),
	}
}

// TestGroovyHostile would take hours if any of the shapes cost quadratic time.
func TestGroovyHostile(t *testing.T) {
	for name, src := range hostileGroovy(300_000) {
		t.Run(name, func(t *testing.T) {
			g := groovyOf(src)
			for k, tok := range g.tokens {
				if tok.kind == groovyString {
					g.literal(k)
				}
			}
		})
	}
}

func FuzzGroovy(f *testing.F) {
	f.Add("def a = \"x:${b}\"\nsh '''docker run $a'''\n")
	f.Add("x = /a\\/b/ + $/c/$ // d\nf([a: 1]) { it -> \"$it.b\" }")
	for _, src := range hostileGroovy(4) {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		g := groovyOf(src)
		end := 0
		for k, tok := range g.tokens {
			if tok.start < end || tok.end <= tok.start || tok.end > len(src) {
				t.Fatalf("token %d is [%d, %d) behind %d of %d bytes", k, tok.start, tok.end, end, len(src))
			}
			end = tok.end
			if tok.mate >= 0 && (tok.mate >= len(g.tokens) || g.tokens[tok.mate].mate != k) {
				t.Fatalf("token %d is paired with %d, which is not paired with it", k, tok.mate)
			}
			if tok.kind == groovyString {
				checkGroovyLiteral(t, g, k)
			}
		}
	})
}

// checkGroovyLiteral proves that each byte of a decoded string has its place in
// order within the quotes, and that the interpolations are what they say.
func checkGroovyLiteral(t *testing.T, g *groovySource, k int) {
	tok, lit := g.tokens[k], g.literal(k)
	if lit.start < tok.start || lit.end < lit.start || lit.end > tok.end {
		t.Fatalf("content [%d, %d) of the string [%d, %d)", lit.start, lit.end, tok.start, tok.end)
	}
	outer := source.Span{Start: lit.start, End: lit.end}
	at := lit.start
	for i := range lit.text.Data {
		s, exact := lit.text.Span(i, i+1)
		if !outer.Contains(s) || s.Start < at {
			t.Fatalf("byte %d stands at %v, want within %v from %d on", i, s, outer, at)
		}
		if exact {
			at = s.End
		} else {
			at = s.Start // an escape may stand for several bytes
		}
	}
	if raw := string(g.text.Data[lit.start:lit.end]); !strings.ContainsAny(raw, `\$`) && raw != lit.text.String() {
		t.Fatalf("%q without an escape is decoded to %q", raw, lit.text)
	}
	end := 0
	for _, i := range lit.interpolations {
		if i.start < end || i.end <= i.start || i.end > len(lit.text.Data) || lit.text.Data[i.start] != '$' {
			t.Fatalf("interpolation [%d, %d) behind %d of %q", i.start, i.end, end, lit.text)
		}
		end = i.end
		if !strings.Contains(string(lit.text.Data[i.start:i.end]), i.expr) {
			t.Fatalf("%q is not the expression of %q", i.expr, lit.text.Data[i.start:i.end])
		}
	}
}
