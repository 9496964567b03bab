//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// tables are what can be measured, in the order in which it is printed.
var tables = []struct {
	name  string
	print func(ctx context.Context, b *bench) error
}{
	{"check", tableCheck},
	{"start", tableStart},
	{"linear", tableLinear},
	{"lsp", tableLSP},
	{"others", tableOthers},
}

func tableNames() []string {
	var names []string
	for _, t := range tables {
		names = append(names, t.name)
	}
	return names
}

func lookup(name string) (func(context.Context, *bench) error, error) {
	for _, t := range tables {
		if t.name == name {
			return t.print, nil
		}
	}
	return nil, fmt.Errorf("-tables: %q is none of %s", name, strings.Join(tableNames(), ", "))
}

// machine tells what the figures were measured on.
func (b *bench) machine(ctx context.Context) {
	facts := []string{fmt.Sprintf("%d processors", runtime.NumCPU()), "load before: " + load(), runtime.Version()}
	if model := processor(); model != "" {
		facts = slices.Insert(facts, 0, model)
	}
	for _, args := range [][]string{{"git", "--version"}, {"rg", "--version"}} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).Output(); err == nil {
			line, _, _ := strings.Cut(string(out), "\n")
			facts = append(facts, line)
		}
	}
	fmt.Fprintf(b.stdout, "%s.\n", strings.Join(facts, "; "))
}

// load is the load average of the last minute.
func load() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(data), " ")
	return one
}

// processor is the model name of the first processor, empty where Linux does
// not know it.
func processor() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// own is a command line of digestlint. No configuration above the tree, and no
// advisories of whoever runs it, are part of what is measured.
func (b *bench) own(name, dir string, args ...string) program {
	args = slices.Concat([]string{b.digestlint}, args, []string{"--no-updates"})
	return program{name: name, dir: dir, args: args, env: noGitSettings}
}

// tableCheck compares a check with programs that do less with the same files.
func tableCheck(ctx context.Context, b *bench) error {
	dir, err := b.realTree(ctx)
	if err != nil {
		return err
	}
	n, err := files(ctx, dir)
	if err != nil {
		return err
	}
	programs := []program{
		ripgrep(dir),
		{name: "`git ls-files`, as `check` asks for it", dir: dir, env: noGitSettings,
			args: []string{"git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"}},
		b.own("`digestlint check`", dir, "check", "--no-config"),
		b.own("`digestlint check`, one file at a time", dir, "check", "--no-config", "-j", "1"),
		b.own("`digestlint refs -o json`", dir, "refs", "--no-config", "-o", "json"),
	}
	all, err := b.measure(ctx, programs, b.runs)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.stdout, "\n%d files of %d repositories, %d references:\n\n", n, len(repositories), b.references(ctx, dir))
	fmt.Fprint(b.stdout, "| | wall | CPU | memory | wall, of `rg` | CPU, of `rg` |\n|---|---|---|---|---|---|\n")
	for i, f := range all {
		fmt.Fprintf(b.stdout, "| %s | %s | %s | %s | %.2f | %.2f |\n", programs[i].name, ms(f.wall), ms(f.cpu), f.peak,
			ratio(f.wall, all[0].wall), ratio(f.cpu, all[0].cpu))
	}
	return nil
}

// ripgrep searches the files that check reads.
func ripgrep(dir string) program {
	return program{name: "`rg -c image:`", dir: dir, args: []string{"rg", "-c", "--hidden", "--glob", "!.git", "image:", "."}}
}

// references is how many references digestlint finds in the tree.
func (b *bench) references(ctx context.Context, dir string) int {
	p := b.own("", dir, "refs", "--no-config", "-o", "json")
	p.found = ownReferences
	s, err := p.run(ctx)
	if err != nil {
		return 0
	}
	return s.found
}

func ownReferences(stdout []byte) int {
	var list struct {
		References []json.RawMessage `json:"references"`
	}
	if err := json.Unmarshal(stdout, &list); err != nil {
		return 0
	}
	return len(list.References)
}

// tableStart compares starts with that of a Go program that does nothing.
func tableStart(ctx context.Context, b *bench) error {
	dir := filepath.Join(b.dir, "start")
	if err := os.MkdirAll(filepath.Join(dir, "empty"), 0o755); err != nil {
		return err
	}
	source := filepath.Join(dir, "empty", "main.go")
	compose := filepath.Join(dir, "compose.yaml")
	for name, text := range map[string]string{
		source:  "package main\n\nfunc main() {}\n",
		compose: "services:\n  web:\n    image: nginx:1.27@sha256:" + strings.Repeat("1", 64) + "\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	empty := filepath.Join(dir, "nothing")
	if err := b.goBuild(ctx, empty, source); err != nil {
		return err
	}
	programs := []program{
		{name: "a Go program that does nothing", dir: dir, args: []string{empty}},
		b.own("`digestlint version`", dir, "version"),
		b.own("`digestlint check compose.yaml`", dir, "check", "--no-config", compose),
	}
	all, err := b.measure(ctx, programs, 5*b.runs) // they are short
	if err != nil {
		return err
	}
	fmt.Fprint(b.stdout, "\n| | wall | CPU | memory |\n|---|---|---|---|\n")
	for i, f := range all {
		fmt.Fprintf(b.stdout, "| %s | %.1f ms | %.1f ms | %s |\n", programs[i].name, milliseconds(f.wall), milliseconds(f.cpu), f.peak)
	}
	return nil
}

// tableLinear checks generated trees of all sizes.
func tableLinear(ctx context.Context, b *bench) error {
	if len(b.sizes) == 0 {
		return nil
	}
	fmt.Fprint(b.stdout, "\n| files | `rg -c image:`: wall | CPU | `digestlint check`: wall | CPU | CPU a file | memory |\n|---|---|---|---|---|---|---|\n")
	for _, n := range b.sizes {
		dir, err := b.generatedTree(ctx, n)
		if err != nil {
			return err
		}
		all, err := b.measure(ctx, []program{ripgrep(dir), b.own("`digestlint check`", dir, "check", "--no-config")}, max(1, b.runs/3))
		if err != nil {
			return err
		}
		rg, own := all[0], all[1]
		fmt.Fprintf(b.stdout, "| %d | %s | %s | %s | %s | %.0f µs | %s |\n", n, ms(rg.wall), ms(rg.cpu), ms(own.wall), ms(own.cpu),
			float64(own.cpu.Microseconds())/float64(n), own.peak)
	}
	return nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.0f ms", milliseconds(d)) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func ratio(a, b time.Duration) float64 { return float64(a) / float64(max(b, 1)) }
