package parsers

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/digestlint/digestlint/source"
)

// What the formats in HCL's native syntax share
// (https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md): expressions
// are read into pieces of text without being evaluated, so that each byte of an
// image keeps its place.

// hclFile is one text in HCL.
type hclFile struct {
	pass *Pass
	// text is what was read, data what was parsed: templates of other tools
	// are masked in it, byte for byte.
	text *source.Text
	data []byte
	body *hclsyntax.Body
	// lookup finds what the first steps of a traversal name.
	lookup func(tr hcl.Traversal, scope *hclScope) *hclName
	// budget bounds the expressions that are read for one image.
	budget *int
}

// hclScope is a name that a block or an expression declares for what is in it:
// "each", the iterator of a dynamic block, a variable of "for" or of a matrix.
type hclScope struct {
	parent *hclScope
	name   string
	// values are what the name, or its attribute "value", stands for.
	values []hclValue
	// wrapped is set where the values are behind the attribute "value", and
	// keyed where they are behind "key" as well.
	wrapped, keyed bool
}

// hclValue is an expression, in its file and scope.
type hclValue struct {
	file  *hclFile
	expr  hclsyntax.Expression
	scope *hclScope
}

// hclName is what the first steps of a traversal stand for.
type hclName struct {
	steps   int
	binding *binding
	values  []hclValue
}

const (
	// maxHCL bounds the nesting of a text: the library reads it recursively.
	maxHCL = 400
	// maxHCLExpressions bounds the expressions that are read for one image.
	maxHCLExpressions = 2000
)

// hcl parses the text; nil where that can't be done at all. What the library
// could read of a broken text still counts.
func (p *Pass) hcl() *hclFile {
	h := &hclFile{pass: p, text: p.Text, data: p.Text.Data, budget: new(int)}
	if deepHCL(h.data) {
		p.Fail(0, "nested too deeply")
		return nil
	}
	err := h.parse()
	if err != nil && containsAny(h.data, []string{"[[", "{{"}) {
		// Templates of Levant, Nomad Pack and others stand between the text
		// and HCL.
		masked := *h
		masked.data = maskHCLTemplates(h.data)
		masked.parseLines()
		return &masked
	}
	if err != nil && p.depth == 0 {
		at := 0
		if err.Subject != nil {
			at = min(err.Subject.Start.Byte, len(h.data))
		}
		p.Fail(at, "%s: %s", err.Summary, strings.ReplaceAll(err.Detail, "\n", " "))
	}
	return h
}

// parse gives the first error of the library.
func (h *hclFile) parse() *hcl.Diagnostic {
	file, diags := hclsyntax.ParseConfig(h.data, "", hcl.InitialPos)
	h.body = &hclsyntax.Body{}
	if file != nil {
		if body, ok := file.Body.(*hclsyntax.Body); ok && body != nil {
			h.body = body
		}
	}
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			return d
		}
	}
	return nil
}

// maxBrokenLines bounds the lines of a template that are left out of it.
const maxBrokenLines = 16

// parseLines parses a masked template, again and again without the lines that
// are no HCL even then.
func (h *hclFile) parseLines() {
	for i := 0; i < maxBrokenLines; i++ {
		err := h.parse()
		if err == nil || err.Subject == nil {
			return
		}
		at := min(err.Subject.Start.Byte, len(h.data))
		start := bytes.LastIndexByte(h.data[:at], '\n') + 1
		line := h.data[start:lineEnd(h.data, start)]
		indent := len(line) - len(bytes.TrimLeft(line, " \t"))
		if indent == len(line) || line[indent] == '#' {
			return
		}
		line[indent] = '#'
	}
	_ = h.parse() // what can be read by now is enough
}

// deepHCL reports whether a text nests more than any that people write. It
// counts what the library recurses on, without regard to strings.
func deepHCL(data []byte) bool {
	depth, run, questions := 0, 0, 0
	for _, c := range data {
		switch c {
		case '(', '[', '{':
			depth++
			run = 0
		case ')', ']', '}':
			depth = max(depth-1, 0)
			run = 0
		case '!', '-':
			run++
		case '?':
			questions++
			run = 0
		case ' ', '\t', '\r':
		case '\n':
			run = 0
		default:
			run = 0
		}
		if depth > maxHCL || run > 4*maxHCL || questions > 8*maxHCL {
			return true
		}
	}
	return false
}

// maskHCLTemplates is data in which "[[ … ]]" and "{{ … }}" are names, byte for
// byte of the same length; a line of templates alone becomes a comment.
func maskHCLTemplates(data []byte) []byte {
	out := bytes.Clone(data)
	unclosed := map[string]bool{}
	for at := 0; at+1 < len(out); at++ {
		var closing string
		switch string(out[at : at+2]) {
		case "[[":
			closing = "]]"
		case "{{":
			closing = "}}"
		default:
			continue
		}
		if unclosed[closing] {
			continue
		}
		n := bytes.Index(out[at:], []byte(closing))
		if n < 0 {
			unclosed[closing] = true
			continue
		}
		end := at + n + 2
		for k := at; k < end; k++ {
			if out[k] != '\n' && out[k] != '\r' {
				out[k] = 'x'
			} else if k+1 < end {
				out[k+1] = '#'
			}
		}
		start := bytes.LastIndexByte(out[:at], '\n') + 1
		stop := lineEnd(out, end)
		if rest := bytes.TrimSpace(data[end:stop]); len(bytes.TrimSpace(out[start:at])) == 0 &&
			(len(rest) == 0 || bytes.HasPrefix(rest, []byte(closing[:1])) || bytes.HasPrefix(rest, []byte("[[")) || bytes.HasPrefix(rest, []byte("{{"))) {
			out[at] = '#'
			at = stop
			continue
		}
		at = end - 1
	}
	return out
}

// slice is the bytes of a range.
func (h *hclFile) slice(r hcl.Range) *source.Text {
	n := len(h.text.Data)
	start := min(max(r.Start.Byte, 0), n)
	return h.text.Slice(start, min(max(r.End.Byte, start), n))
}

// bytes is what the library has read of a range.
func (h *hclFile) bytes(r hcl.Range) []byte {
	start := min(max(r.Start.Byte, 0), len(h.data))
	return h.data[start:min(max(r.End.Byte, start), len(h.data))]
}

// labels are the labels of a block as they stand in the file.
func (h *hclFile) labels(block *hclsyntax.Block) []string {
	var out []string
	for i, r := range block.LabelRanges {
		t := unquote(h.slice(r))
		if i < len(block.Labels) && len(t.Data) > 0 {
			out = append(out, t.String())
		}
	}
	return append(out, block.Labels[min(len(out), len(block.Labels)):]...)
}

// image reports an expression as an image.
func (h *hclFile) image(e hclsyntax.Expression, scope *hclScope, f found) {
	f.text = h.written(e)
	if bytes.HasPrefix(f.text.Data, []byte{'"'}) {
		return // a string that never ends: the file is broken here
	}
	*h.budget = maxHCLExpressions
	f.values = h.exprs(e, scope, 0)
	if t := cutScheme(f.text); len(t.Data) < len(f.text.Data) {
		cut := len(f.text.Data) - len(t.Data)
		f.text = t
		for _, e := range f.values {
			if len(e) > 0 && len(e[0].chain) == 0 && len(e[0].text) >= cut {
				e[0].text = e[0].text[cut:]
				if e[0].exact {
					e[0].span.Start += cut
				}
			}
		}
	}
	h.pass.Use(f)
}

// written is an expression as it stands in the file; of a string what is
// between its quotes.
func (h *hclFile) written(e hclsyntax.Expression) *source.Text {
	t := h.slice(e.Range())
	switch e := hclUnwrapped(e).(type) {
	case *hclsyntax.TemplateExpr, *hclsyntax.TemplateWrapExpr, *hclsyntax.LiteralValueExpr:
		t = h.slice(e.Range())
		if n := len(t.Data); n >= 2 && t.Data[0] == '"' && t.Data[n-1] == '"' {
			return t.Slice(1, n-1)
		}
		if bytes.HasPrefix(t.Data, []byte("<<")) {
			if d := h.decoded(e); d != nil && len(d.Trim().Data) > 0 {
				return d.Trim()
			}
		}
	}
	return t
}

func hclUnwrapped(e hclsyntax.Expression) hclsyntax.Expression {
	for i := 0; i < maxHCL; i++ {
		p, ok := e.(*hclsyntax.ParenthesesExpr)
		if !ok {
			return e
		}
		e = p.Expression
	}
	return e
}

// exprs are the texts that an expression can have.
func (h *hclFile) exprs(e hclsyntax.Expression, scope *hclScope, depth int) []expr {
	if *h.budget--; *h.budget < 0 || depth > maxExpansion {
		return []expr{h.undecided(e)}
	}
	switch e := hclUnwrapped(e).(type) {
	case *hclsyntax.TemplateExpr:
		out := []expr{{}}
		for _, part := range e.Parts {
			out = product(out, h.exprs(part, scope, depth+1))
		}
		return out
	case *hclsyntax.TemplateWrapExpr:
		return h.exprs(e.Wrapped, scope, depth+1)
	case *hclsyntax.LiteralValueExpr:
		return []expr{literal(h.literal(e))}
	case *hclsyntax.ScopeTraversalExpr:
		return h.traversal(e, scope, depth)
	case *hclsyntax.RelativeTraversalExpr, *hclsyntax.IndexExpr:
		if out := h.selected(e, scope, depth); len(out) > 0 {
			return out
		}
	case *hclsyntax.ConditionalExpr:
		out := h.exprs(e.TrueResult, scope, depth+1)
		for _, other := range h.exprs(e.FalseResult, scope, depth+1) {
			if len(out) < maxValues && !other.empty() {
				out = append(out, other)
			}
		}
		return withoutEmpty(out)
	case *hclsyntax.FunctionCallExpr:
		if out := h.call(e, scope, depth); len(out) > 0 {
			return out
		}
	}
	return []expr{h.undecided(e)}
}

// withoutEmpty leaves out the texts that are empty, where there are others.
func withoutEmpty(all []expr) []expr {
	out := slices.DeleteFunc(slices.Clone(all), func(e expr) bool { return e.empty() })
	if len(out) == 0 {
		return all
	}
	return out
}

// undecided is an expression that nothing here gives a text.
func (h *hclFile) undecided(e hclsyntax.Expression) expr {
	t := h.slice(e.Range())
	return unknown(t, shorten(strings.Join(strings.Fields(t.String()), " ")))
}

// traversal are the texts of a name with its attributes.
func (h *hclFile) traversal(e *hclsyntax.ScopeTraversalExpr, scope *hclScope, depth int) []expr {
	values, l := h.named(e.Traversal, scope)
	var out []expr
	for _, v := range values {
		if len(out) >= maxValues {
			break
		}
		v.file.budget = h.budget
		for _, x := range v.file.exprs(v.expr, v.scope, depth+1) {
			out = append(out, through(*l, x))
		}
	}
	if len(out) == 0 {
		return []expr{h.undecided(e)}
	}
	return out
}

// named are the expressions that a traversal stands for, and the link to read
// them through.
func (h *hclFile) named(tr hcl.Traversal, scope *hclScope) ([]hclValue, *link) {
	name := h.lookup(tr, scope)
	if name == nil || name.steps > len(tr) {
		return nil, nil
	}
	t := h.slice(hcl.RangeBetween(tr[0].SourceRange(), tr[name.steps-1].SourceRange()))
	at, _ := t.Span(0, len(t.Data))
	l := &link{binding: name.binding, file: h.text.File, at: at}
	values := name.values
	for _, step := range tr[name.steps:] {
		values = hclSteps(values, hclStep(step))
	}
	return values, l
}

// hclStep is the attribute or index of a step, "*" for a splat.
func hclStep(step hcl.Traverser) string {
	switch s := step.(type) {
	case hcl.TraverseAttr:
		return s.Name
	case hcl.TraverseIndex:
		if s.Key.Type().FriendlyName() == "string" && s.Key.IsKnown() && !s.Key.IsNull() {
			return s.Key.AsString()
		}
		if s.Key.Type().FriendlyName() == "number" && s.Key.IsKnown() && !s.Key.IsNull() {
			return s.Key.AsBigFloat().String()
		}
	}
	return "*"
}

// hclSteps are the elements of that name, or all of them for "*".
func hclSteps(values []hclValue, name string) []hclValue {
	var out []hclValue
	for _, v := range values {
		for _, r := range v.resolved(0) {
			switch e := r.expr.(type) {
			case *hclsyntax.ObjectConsExpr:
				for _, item := range e.Items {
					if k, ok := hclKey(item.KeyExpr); ok && (k == name || name == "*") {
						out = append(out, hclValue{r.file, item.ValueExpr, r.scope})
					}
				}
			case *hclsyntax.TupleConsExpr:
				for i, x := range e.Exprs {
					if name == "*" || strconv.Itoa(i) == name {
						out = append(out, hclValue{r.file, x, r.scope})
					}
				}
			}
			if len(out) > maxValues {
				return out[:maxValues]
			}
		}
	}
	return out
}

// hclElements are the values of a collection, as "for_each" goes through it.
func hclElements(values []hclValue) []hclValue { return hclSteps(values, "*") }

// resolved is a value without the names and functions around it that keep its
// structure.
func (v hclValue) resolved(depth int) []hclValue {
	if depth > maxExpansion {
		return nil
	}
	all := func(exprs ...hclsyntax.Expression) []hclValue {
		var out []hclValue
		for _, e := range exprs {
			if out = append(out, hclValue{v.file, e, v.scope}.resolved(depth+1)...); len(out) > maxValues {
				return out[:maxValues]
			}
		}
		return out
	}
	switch e := hclUnwrapped(v.expr).(type) {
	case *hclsyntax.ObjectConsExpr, *hclsyntax.TupleConsExpr:
		return []hclValue{{v.file, e, v.scope}}
	case *hclsyntax.ConditionalExpr:
		return all(e.TrueResult, e.FalseResult)
	case *hclsyntax.FunctionCallExpr:
		switch e.Name {
		case "toset", "tomap", "tolist", "merge", "concat", "setunion", "flatten", "try", "coalesce", "nonsensitive":
			return all(e.Args...)
		}
	case *hclsyntax.ForExpr:
		if tr, ok := e.ValExpr.(*hclsyntax.ScopeTraversalExpr); ok && len(tr.Traversal) == 1 && tr.Traversal.RootName() == e.ValVar {
			return all(e.CollExpr)
		}
	case *hclsyntax.ScopeTraversalExpr:
		values, _ := v.file.named(e.Traversal, v.scope)
		var out []hclValue
		for _, inner := range values {
			out = append(out, inner.resolved(depth+1)...)
		}
		return out
	}
	return nil
}

// selected are the texts of "x[key]" and "(x).name".
func (h *hclFile) selected(e hclsyntax.Expression, scope *hclScope, depth int) []expr {
	var of []hclValue
	switch e := e.(type) {
	case *hclsyntax.IndexExpr:
		key := "*"
		if texts := h.exprs(e.Key, scope, depth+1); len(texts) == 1 && len(texts[0].missing()) == 0 {
			key = texts[0].text()
		}
		of = hclSteps([]hclValue{{h, e.Collection, scope}}, key)
	case *hclsyntax.RelativeTraversalExpr:
		of = []hclValue{{h, e.Source, scope}}
		if index, ok := e.Source.(*hclsyntax.IndexExpr); ok {
			of = hclSteps([]hclValue{{h, index.Collection, scope}}, "*")
		}
		for _, step := range e.Traversal {
			of = hclSteps(of, hclStep(step))
		}
	}
	t := h.slice(e.Range())
	at, _ := t.Span(0, len(t.Data))
	b := &binding{name: shorten(t.String()), class: classSelected, file: t.File, region: source.Span{End: len(t.File.Data)}}
	var out []expr
	for _, v := range of {
		v.file.budget = h.budget
		for _, x := range v.file.exprs(v.expr, v.scope, depth+1) {
			out = append(out, through(link{binding: b, file: t.File, at: at}, x))
		}
		if len(out) >= maxValues {
			break
		}
	}
	return out
}

// call are the texts of a function call, none where the function is unknown.
func (h *hclFile) call(e *hclsyntax.FunctionCallExpr, scope *hclScope, depth int) []expr {
	args := e.Args
	switch e.Name {
	case "tostring", "nonsensitive", "sensitive", "trimspace", "one":
		if len(args) == 1 {
			return h.exprs(args[0], scope, depth+1)
		}
	case "coalesce", "try", "coalescelist":
		var out []expr
		for _, a := range args {
			for _, x := range h.exprs(a, scope, depth+1) {
				if len(x.missing()) == 0 && !x.empty() && len(out) < maxValues {
					out = append(out, x)
				}
			}
		}
		return out
	case "join":
		if len(args) == 2 {
			return h.join(args[0], args[1], scope, depth)
		}
	case "format":
		if len(args) > 0 {
			return h.format(args[0], args[1:], scope, depth)
		}
	}
	return nil
}

// join are the texts of join(separator, list).
func (h *hclFile) join(separator, list hclsyntax.Expression, scope *hclScope, depth int) []expr {
	tuple, ok := hclUnwrapped(list).(*hclsyntax.TupleConsExpr)
	if !ok {
		return nil
	}
	out := []expr{{}}
	for i, e := range tuple.Exprs {
		if i > 0 {
			out = product(out, h.exprs(separator, scope, depth+1))
		}
		out = product(out, h.exprs(e, scope, depth+1))
	}
	return out
}

// format are the texts of format(layout, …) where only "%s", "%v" and "%d"
// stand in the layout.
func (h *hclFile) format(layout hclsyntax.Expression, args []hclsyntax.Expression, scope *hclScope, depth int) []expr {
	t := h.decoded(layout)
	if t == nil || bytes.Contains(t.Data, []byte("${")) {
		return nil
	}
	out := []expr{{}}
	at := 0
	for {
		i := bytes.IndexByte(t.Data[at:], '%')
		if i < 0 {
			return product(out, []expr{literal(t.Slice(at, len(t.Data)))})
		}
		i += at
		if i+1 >= len(t.Data) || strings.IndexByte("svd", t.Data[i+1]) < 0 || len(args) == 0 {
			return nil
		}
		out = product(out, []expr{literal(t.Slice(at, i))})
		out = product(out, h.exprs(args[0], scope, depth+1))
		args, at = args[1:], i+2
	}
}

// literal is the decoded text of a part of a string, or of a number.
func (h *hclFile) literal(e *hclsyntax.LiteralValueExpr) *source.Text {
	r := e.Range()
	t, raw := h.slice(r), h.bytes(r)
	if e.Val.IsNull() || !e.Val.IsKnown() {
		return t.Slice(0, 0)
	}
	if e.Val.Type().FriendlyName() != "string" {
		return t
	}
	value := e.Val.AsString()
	if cut := len(raw) - len(value); cut >= 0 && string(raw[cut:]) == value && len(bytes.TrimLeft(raw[:cut], " \t")) == 0 {
		return t.Slice(cut, len(t.Data)) // the indentation of a "<<-" text is cut
	}
	return decodeHCL(t, raw, value)
}

// decodeHCL is the value that raw, the bytes of t, stands for.
func decodeHCL(t *source.Text, raw []byte, value string) *source.Text {
	b := source.NewBuilder(t)
	for i := 0; i < len(raw); {
		n := 1
		switch {
		case raw[i] == '\\' && i+1 < len(raw):
			switch raw[i+1] {
			case 'u':
				n = 6
			case 'U':
				n = 10
			default:
				n = 2
			}
		case bytes.HasPrefix(raw[i:], []byte("$${")) || bytes.HasPrefix(raw[i:], []byte("%%{")):
			if !strings.HasPrefix(value, string(raw[i+1:i+3])) {
				break
			}
			b.Put(value[:2], i, i+3)
			value = value[2:]
			i += 3
			continue
		}
		n = min(n, len(raw)-i)
		switch {
		case n == 1 && value != "" && raw[i] == value[0]:
			b.Copy(i, i+1)
			value = value[1:]
		case n > 1 && value != "":
			size := 1
			for size < len(value) && value[size]&0xc0 == 0x80 {
				size++
			}
			b.Put(value[:size], i, i+n)
			value = value[size:]
		}
		i += n
	}
	if value != "" {
		b.Put(value, len(raw), len(raw))
	}
	b.Copy(len(raw), len(raw))
	return b.Text()
}

// decoded is the text of a string in which "${…}" stands as written; nil where
// e is no string.
func (h *hclFile) decoded(e hclsyntax.Expression) *source.Text {
	var parts []hclsyntax.Expression
	switch e := hclUnwrapped(e).(type) {
	case *hclsyntax.TemplateExpr:
		parts = e.Parts
	case *hclsyntax.TemplateWrapExpr:
		return h.written(e)
	case *hclsyntax.LiteralValueExpr:
		if e.Val.IsNull() || !e.Val.IsKnown() || e.Val.Type().FriendlyName() != "string" {
			return nil
		}
		parts = []hclsyntax.Expression{e}
	default:
		return nil
	}
	var texts []*source.Text
	at := 0
	for i, part := range parts {
		if l, ok := part.(*hclsyntax.LiteralValueExpr); ok && !h.interpolated(l.Range()) {
			texts = append(texts, h.literal(l))
			at = l.Range().End.Byte
			continue
		}
		start, end := h.around(part.Range(), at)
		if i+1 < len(parts) {
			end = min(max(end, start), max(parts[i+1].Range().Start.Byte, start))
		}
		texts = append(texts, h.text.Slice(start, end))
		at = end
	}
	if len(texts) == 0 {
		return h.text.Slice(e.Range().Start.Byte, e.Range().Start.Byte)
	}
	return source.Join("", texts...)
}

// interpolated reports whether a literal is the expression within "${…}".
func (h *hclFile) interpolated(r hcl.Range) bool {
	before := bytes.TrimRight(h.data[:min(r.Start.Byte, len(h.data))], " \t~")
	after := bytes.TrimLeft(h.data[min(r.End.Byte, len(h.data)):], " \t~")
	return bytes.HasSuffix(before, []byte("${")) && bytes.HasPrefix(after, []byte("}"))
}

// around is the bounds of the "${…}" or "%{…}" around an expression that starts
// no earlier than at.
func (h *hclFile) around(r hcl.Range, at int) (start, end int) {
	n := len(h.data)
	start, end = min(r.Start.Byte, n), min(r.End.Byte, n)
	at = min(at, start)
	if i := max(bytes.LastIndex(h.data[at:start], []byte("${")), bytes.LastIndex(h.data[at:start], []byte("%{"))); i >= 0 {
		start = at + i
	}
	rest := bytes.TrimLeft(h.data[end:], " \t~\r\n")
	if bytes.HasPrefix(rest, []byte("}")) {
		end = n - len(rest) + 1
	}
	return start, end
}

// hclKey is the name of a key that is no expression.
func hclKey(e hclsyntax.Expression) (string, bool) {
	if k, ok := e.(*hclsyntax.ObjectConsKeyExpr); ok {
		if word := hcl.ExprAsKeyword(k.Wrapped); word != "" && !k.ForceNonLiteral {
			return word, true
		}
		e = k.Wrapped
	}
	return hclConstant(e)
}

// hclConstant is the text of a string without variables.
func hclConstant(e hclsyntax.Expression) (string, bool) {
	switch e := hclUnwrapped(e).(type) {
	case *hclsyntax.TemplateExpr:
		text := ""
		for _, part := range e.Parts {
			s, ok := hclConstant(part)
			if !ok {
				return "", false
			}
			text += s
		}
		return text, true
	case *hclsyntax.LiteralValueExpr:
		if e.Val.IsKnown() && !e.Val.IsNull() && e.Val.Type().FriendlyName() == "string" {
			return e.Val.AsString(), true
		}
	}
	return "", false
}

// objects calls visit for each object within an expression, also where
// functions encode it, with its place and what "for" declares around it. It
// goes on below an object for which visit gives true.
func (h *hclFile) objects(e hclsyntax.Expression, scope *hclScope, pointer, key string, visit func(o *hclsyntax.ObjectConsExpr, scope *hclScope, pointer, key string) bool) {
	var walk func(e hclsyntax.Expression, scope *hclScope, pointer, key string, depth int)
	walk = func(e hclsyntax.Expression, scope *hclScope, pointer, key string, depth int) {
		if depth > maxHCL {
			return
		}
		switch e := hclUnwrapped(e).(type) {
		case *hclsyntax.ObjectConsExpr:
			if !visit(e, scope, pointer, key) {
				return
			}
			for _, item := range e.Items {
				k, _ := hclKey(item.KeyExpr)
				walk(item.ValueExpr, scope, joinPointer(pointer, k), k, depth+1)
			}
		case *hclsyntax.TupleConsExpr:
			for i, x := range e.Exprs {
				walk(x, scope, pointer+pointerIndex(i), key, depth+1)
			}
		case *hclsyntax.FunctionCallExpr:
			for _, a := range e.Args {
				walk(a, scope, pointer, key, depth+1)
			}
		case *hclsyntax.ConditionalExpr:
			walk(e.TrueResult, scope, pointer, key, depth+1)
			walk(e.FalseResult, scope, pointer, key, depth+1)
		case *hclsyntax.ForExpr:
			inner := &hclScope{parent: scope, name: e.ValVar, values: hclElements([]hclValue{{h, e.CollExpr, scope}})}
			walk(e.ValExpr, inner, pointer, key, depth+1)
		}
	}
	walk(e, scope, pointer, key, 0)
}

// hclMember is the value of a key in an object, or nil.
func hclMember(o *hclsyntax.ObjectConsExpr, key string) hclsyntax.Expression {
	for _, item := range o.Items {
		if k, ok := hclKey(item.KeyExpr); ok && k == key {
			return item.ValueExpr
		}
	}
	return nil
}

// hclAttribute is the expression of an attribute in a body, or nil.
func hclAttribute(b *hclsyntax.Body, name string) hclsyntax.Expression {
	if a := b.Attributes[name]; a != nil {
		return a.Expr
	}
	return nil
}

// hclAttributes are those of a body in the order of the file.
func hclAttributes(b *hclsyntax.Body) []*hclsyntax.Attribute {
	var all []*hclsyntax.Attribute
	for _, a := range b.Attributes {
		all = append(all, a)
	}
	slices.SortFunc(all, func(x, y *hclsyntax.Attribute) int { return x.SrcRange.Start.Byte - y.SrcRange.Start.Byte })
	return all
}

// classSelected is an element that is chosen when the file is evaluated.
var classSelected = &class{noun: "element", inline: true}

// hclScoped is what a name that a block or "for" declares stands for.
func hclScoped(f *source.File, tr hcl.Traversal, scope *hclScope) *hclName {
	for s := scope; s != nil; s = s.parent {
		if s.name == "" || tr.RootName() != s.name {
			continue
		}
		b := &binding{name: s.name, class: classLoop, file: f, region: source.Span{End: len(f.Data)}}
		if !s.wrapped {
			return &hclName{steps: 1, binding: b, values: s.values}
		}
		if len(tr) > 1 {
			if step := hclStep(tr[1]); step == "value" || step == "key" && s.keyed {
				b.name = s.name + "." + step
				return &hclName{steps: 2, binding: b, values: s.values}
			}
		}
		return nil
	}
	return nil
}

// local is the name of something declared in this file or another one.
func (h *hclFile) local(name string, c *class, in *hclFile, steps int, def hcl.Range, values ...hclsyntax.Expression) *hclName {
	span, _ := in.slice(def).Span(0, def.End.Byte-def.Start.Byte)
	b := &binding{name: name, class: c, file: in.text.File, def: span, region: source.Span{End: len(in.text.File.Data)}}
	out := &hclName{steps: steps, binding: b}
	for _, v := range values {
		out.values = append(out.values, hclValue{file: in, expr: v})
	}
	return out
}

// scan finds the "${…}" of HCL in the text of a string. What a shell would
// read in the same way has neither a dot nor a call in it.
func scanHCL(data []byte, i int) (variable, bool) {
	for {
		k := bytes.Index(data[i:], []byte("${"))
		if k < 0 {
			return variable{}, false
		}
		start := i + k
		at := start + 2
		for at < len(data) && (data[at] == ' ' || data[at] == '~') {
			at++
		}
		word := at
		for at < len(data) && (isNameByte(data[at]) || data[at] == '-') {
			at++
		}
		i = start + 2
		if at == word || at >= len(data) || data[at] != '.' && data[at] != '(' {
			continue
		}
		end, depth := at, 1
		for limit := min(len(data), start+maxVariable); end < limit; end++ {
			switch data[end] {
			case '{':
				depth++
			case '}':
				depth--
			}
			if depth == 0 {
				break
			}
		}
		if end >= len(data) || depth > 0 {
			continue
		}
		v := variable{start: start, end: end + 1}
		v.nameStart, v.nameEnd = trimSpan(data, start+2, end)
		v.name = string(data[v.nameStart:v.nameEnd])
		return v, true
	}
}

// templating is how the variables of h stand in the strings of h.
func (h *hclFile) templating(scope *hclScope) templating {
	return templating{scan: scanHCL, look: func(name string) *binding { return h.textBinding(name, scope) }}
}

// textBinding is the binding of the expression that stands in "${…}" of a text.
func (h *hclFile) textBinding(name string, scope *hclScope) *binding {
	tr, diags := hclsyntax.ParseTraversalAbs([]byte(name), "", hcl.InitialPos)
	if diags.HasErrors() {
		return nil
	}
	n := h.lookup(tr, scope)
	if n == nil || n.steps > len(tr) {
		return nil
	}
	values := n.values
	for _, step := range tr[n.steps:] {
		values = hclSteps(values, hclStep(step))
	}
	b := *n.binding
	b.name = name
	b.eval = func() []expr {
		*h.budget = maxHCLExpressions
		var out []expr
		for _, v := range values {
			v.file.budget = h.budget
			out = append(out, v.file.exprs(v.expr, v.scope, 1)...)
		}
		for _, e := range out {
			if len(e.missing()) > 0 {
				return nil
			}
		}
		return out
	}
	return &b
}

// embedded reads the scripts and manifests that a string holds, and gives
// whether it is any.
func (h *hclFile) embedded(e hclsyntax.Expression, scope *hclScope, pointer string) bool {
	t := h.decoded(e)
	if t == nil || len(t.Data) < 8 {
		return false
	}
	data := bytes.TrimLeft(t.Data, spaces)
	vars := h.templating(scope)
	switch {
	case bytes.HasPrefix(data, []byte("#!")) && isShellLine(string(data[:lineEnd(data, 0)])):
		h.pass.nested(t, pointer, func(q *Pass) { q.shell(noLookup, vars) })
	case looksLikeManifest(data) || looksLikeJSONManifest(data):
		h.pass.nested(t, pointer, func(q *Pass) { q.vars = vars; parseKubernetes(q) })
	default:
		return false
	}
	return true
}

// script reads a string, or a list of strings, as the text of a shell.
func (h *hclFile) script(e hclsyntax.Expression, scope *hclScope, pointer string) {
	var texts []*source.Text
	if tuple, ok := hclUnwrapped(e).(*hclsyntax.TupleConsExpr); ok {
		for _, x := range tuple.Exprs {
			if t := h.decoded(x); t != nil && len(t.Data) > 0 {
				texts = append(texts, t)
			}
		}
	} else if t := h.decoded(e); t != nil && len(t.Data) > 0 {
		texts = append(texts, t)
	}
	if len(texts) == 0 {
		return
	}
	q := *h.pass
	q.pointer = joinPointer(q.pointer, pointer)
	q.shells(texts, noLookup, h.templating(scope))
}
