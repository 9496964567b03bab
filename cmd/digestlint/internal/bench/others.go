//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
)

// others are tools that look for the references of images, too, as they are
// run without asking registries, with the ways to count what they find. Those
// that are not on the PATH are left out.
func others(dir string) []program {
	return []program{
		{name: "Renovate (`--platform=local --dry-run=extract`)", dir: dir, found: renovateFound,
			args: []string{"renovate", "--platform=local", "--dry-run=extract", "--onboarding=false", "--require-config=ignored"},
			env:  []string{"LOG_LEVEL=debug", "LOG_FORMAT=json"}},
		{name: "dockerfile-pin (`check --syntax-only`)", dir: dir, found: countArray,
			args: []string{"dockerfile-pin", "check", "--syntax-only", "--format", "json"}},
		{name: "frizbee (`image list`)", dir: dir, found: countArray,
			args: []string{"frizbee", "image", "list", dir, "--output", "json"}},
		{name: "dclint (Compose files only)", dir: dir,
			args: []string{"dclint", "--recursive", "--formatter", "json", "."}},
	}
}

// renovateFound counts the dependencies that are images in Renovate's log: one
// object a line, of which one holds all that was extracted.
func renovateFound(stdout []byte) int {
	n := 0
	for line := range bytes.Lines(stdout) {
		if bytes.Contains(line, []byte(`"msg":"Extracted dependencies"`)) {
			n += bytes.Count(line, []byte(`"datasource":"docker"`))
		}
	}
	return n
}

// countArray counts the elements of a JSON array.
func countArray(stdout []byte) int {
	var all []json.RawMessage
	if err := json.Unmarshal(stdout, &all); err != nil {
		return 0
	}
	return len(all)
}

// tableOthers compares digestlint with other tools. They do not all look for
// the same: what one finds says something only beside what it looks at.
func tableOthers(ctx context.Context, b *bench) error {
	dir, err := b.realTree(ctx)
	if err != nil {
		return err
	}
	own := b.own("`digestlint refs`", dir, "refs", "--no-config", "-o", "json")
	own.found = ownReferences
	programs := []program{own}
	for _, p := range others(dir) {
		if _, err := exec.LookPath(p.args[0]); err == nil {
			programs = append(programs, p)
		}
	}
	// One of them takes minutes.
	all, err := b.measure(ctx, programs, 1)
	if err != nil {
		return err
	}
	fmt.Fprint(b.stdout, "\n| | wall | CPU | memory | references found |\n|---|---|---|---|---|\n")
	for i, f := range all {
		found := "–"
		if programs[i].found != nil {
			found = fmt.Sprint(f.found)
		}
		fmt.Fprintf(b.stdout, "| %s | %.1f s | %.1f s | %s | %s |\n", programs[i].name, f.wall.Seconds(), f.cpu.Seconds(), f.peak, found)
	}
	return nil
}
