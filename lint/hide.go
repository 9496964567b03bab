package lint

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/parsers"
	"github.com/digestlint/digestlint/rewrite"
	"github.com/digestlint/digestlint/rules"
	"github.com/digestlint/digestlint/source"
)

// IgnoreEdit is the edit of a file of opts.Unsaved that hides the finding f by
// a comment, whose reason is left to be written: behind the edit's text. It is
// tried before it is given, since not every place of a file takes a comment. Ok
// is false where none hides the finding and nothing else; the error is that of
// ctx.
func IgnoreEdit(ctx context.Context, opts Options, f rules.Finding) (edit rewrite.Edit, ok bool, err error) {
	data, open := opts.Unsaved.content(f.Path)
	if !open || f.Rule.Certain || f.Rule.AboutIgnores {
		return edit, false, nil
	}
	opts.Paths, opts.Stdin = []string{f.Path}, nil
	before, err := lookAt(ctx, opts)
	if err != nil || before.format == nil || before.format.Comment == "" {
		return edit, false, err
	}
	for _, edit := range ignoreEdits(&source.File{Path: f.Path, Data: data}, before.format, f) {
		changed, err := rewrite.Apply(data, []rewrite.Edit{edit})
		if err != nil {
			continue
		}
		unsaved := *opts.Unsaved
		unsaved.Contents = maps.Clone(unsaved.Contents)
		unsaved.Contents[f.Path] = changed
		opts.Unsaved = &unsaved
		after, err := lookAt(ctx, opts)
		if err != nil {
			return edit, false, err
		}
		if before.hiddenIn(after, f) {
			return edit, true, nil
		}
	}
	return edit, false, nil
}

// ignoreEdits are the comments that may hide f: in a line of its own, and
// behind the line.
func ignoreEdits(file *source.File, format *parsers.Format, f rules.Finding) []rewrite.Edit {
	comment := format.Comment + " " + directive + "[" + f.Rule.Name + "] "
	line := file.Line(f.Start.Line)
	indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
	ending := "\n"
	if bytes.Contains(file.Data, []byte("\r\n")) {
		ending = "\r\n"
	}
	start := file.Offset(f.Start.Line)
	end := start + len(line)
	return []rewrite.Edit{
		{Span: source.Span{Start: start, End: start}, New: string(indent) + comment + ending},
		{Span: source.Span{Start: end, End: end}, New: " " + comment},
	}
}

// looked is one file with what was found in it.
type looked struct {
	format   *parsers.Format
	uses     []image.Use
	findings []rules.Finding
}

func lookAt(ctx context.Context, opts Options) (looked, error) {
	var l looked
	opts.Each = func(_ *source.File, format *parsers.Format, res parsers.Result) { l.format, l.uses = format, res.Uses }
	res, err := Run(ctx, opts)
	if err == nil {
		l.findings = res.Findings
	}
	return l, err
}

// hiddenIn reports whether what differs in after is that it lacks f, and lacks
// a reason.
func (l looked) hiddenIn(after looked, f rules.Finding) bool {
	same := rewrite.Same(l.uses, after.uses, func(*image.Use, *image.Value) string { return "" })
	if same != nil || after.format != l.format {
		return false
	}
	type key struct{ rule, message string }
	rest := map[key]int{}
	for _, x := range l.findings {
		rest[key{x.Rule.Name, x.Message}]++
	}
	for _, x := range after.findings {
		if x.Rule != rules.UnexplainedIgnore {
			rest[key{x.Rule.Name, x.Message}]--
		}
	}
	gone := rest[key{f.Rule.Name, f.Message}] > 0
	return gone && !slices.ContainsFunc(slices.Collect(maps.Values(rest)), func(n int) bool { return n < 0 })
}
