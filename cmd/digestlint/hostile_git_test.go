//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// changed are the ways to look at a repository by what git says of it.
var changed = [][]string{
	{"check"}, {"check", "--staged"}, {"check", "--new-from-rev", "HEAD"}, {"check", "--new-from-merge-base", "HEAD"},
	{"refs"}, {"exposure", "--repo", "."}, {"pin", "--dry-run", "--digests"}, {"pin", "--digests"},
}

// TestHostileRepository reads a repository whose configuration names a program
// wherever git knows a place for one, after seeing that git would run it.
func TestHostileRepository(t *testing.T) {
	dir, list, _, _ := pinTree(t, 1)
	ran := filepath.Join(t.TempDir(), "ran")
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho \"$0 $*\" >>'"+ran+"'\ncat\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	gitIn(t, dir, "init", "-q")
	write(t, dir, map[string]string{".gitattributes": "* filter=x=y diff=x merge=x\n"})
	gitIn(t, dir, "add", "-A")
	gitIn(t, dir, "commit", "-qm", "a")
	hooks := filepath.Join(dir, ".git", "hooks")
	for _, hook := range []string{"post-index-change", "fsmonitor-watchman", "pre-auto-gc", "reference-transaction", "post-checkout"} {
		_ = os.Remove(filepath.Join(hooks, hook))
		if err := os.Symlink(program, filepath.Join(hooks, hook)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, map[string]string{".git/included": "[core]\n\tpager = " + program + "\n[filter \"z\"]\n\tclean = " + program + "\n"})
	for _, key := range []string{
		"core.fsmonitor", "core.pager", "core.sshCommand", "core.editor", "core.alternateRefsCommand", "core.askPass", "core.gitProxy", "diff.external",
		"diff.x.command", "diff.x.textconv", "filter.x=y.clean", "filter.x=y.smudge", "filter.x=y.process", "merge.x.driver", "gpg.program",
		"uploadpack.packObjectsHook", "credential.helper", "pager.diff", "pager.ls-files", "interactive.diffFilter", "sequence.editor",
	} {
		gitIn(t, dir, "config", key, program)
	}
	for key, value := range map[string]string{
		"filter.x=y.required": "true", "alias.ls-files": "!" + program, "alias.diff": "!" + program, "include.path": "included",
		"includeIf.gitdir:" + dir + "/.path": "included", "remote.origin.url": "ext::" + program, "remote.origin.promisor": "true",
	} {
		gitIn(t, dir, "config", key, value)
	}
	// What is as long and older makes git look at the content.
	write(t, dir, map[string]string{"0/0.Dockerfile": "FROM alpine:4\n"})
	ctx, cancel := context.WithTimeout(t.Context(), hanging)
	defer cancel()
	_ = gitCommand(ctx, dir, "diff").Run() // the programs do not answer as they should
	if err := os.Remove(ran); err != nil {
		t.Fatalf("git itself runs nothing here: %v", err)
	}
	for _, args := range changed {
		if args[len(args)-1] == "--digests" {
			args = append(args, list)
		}
		run := inProcess(t, dir, args...)
		if what, err := os.ReadFile(ran); err == nil {
			t.Errorf("%q runs\n%s", args, what)
			_ = os.Remove(ran)
		}
		if run.status == exitUsage {
			t.Errorf("%q: %s", args, run.stderr)
		}
	}
}

// TestHostileIndex reads a repository whose index names files that lie behind a
// link out of the tree: they are no files of the tree.
func TestHostileIndex(t *testing.T) {
	outside := secret(t)
	dir, list, _, _ := pinTree(t, 1)
	write(t, dir, map[string]string{"link/Dockerfile": "FROM alpine:3\n"})
	gitIn(t, dir, "init", "-q")
	gitIn(t, dir, "add", "-A")
	gitIn(t, dir, "commit", "-qm", "a")
	if err := os.RemoveAll(filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(outside), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, args := range changed {
		if args[len(args)-1] == "--digests" {
			args = append(args, list)
		}
		if run := inProcess(t, dir, args...); strings.Contains(run.stdout+run.stderr, canary) {
			t.Errorf("%q reads outside of the tree:\n%s%s", args, run.stdout, run.stderr)
		}
	}
}

// TestHostileReferences has files of every kind that name others, outside of the
// tree and through links: nothing there is read, nor quoted.
func TestHostileReferences(t *testing.T) {
	outside := secret(t)
	above, err := filepath.Rel("/", outside)
	if err != nil {
		t.Fatal(err)
	}
	above = strings.Repeat("../", 30) + above
	for _, way := range []struct{ name, path string }{{"absolute", outside}, {"above", above}, {"link", "link"}, {"folder", "folder/Dockerfile"}} {
		t.Run(way.name, func(t *testing.T) {
			dir, list, _, _ := pinTree(t, 1)
			for link, target := range map[string]string{"link": outside, "folder": filepath.Dir(outside)} {
				if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
					t.Fatal(err)
				}
			}
			write(t, dir, map[string]string{
				".gitlab-ci.yml":     "include: " + way.path + "\na:\n  image: alpine:$X\n",
				"compose.yaml":       "include: [" + way.path + "]\nservices:\n  a:\n    image: alpine:${X}\n    env_file: " + way.path + "\n    extends: {file: " + way.path + ", service: b}\n",
				"kustomization.yaml": "resources: [" + way.path + "]\nimages:\n- {name: a, newName: alpine}\n",
				"renovate.json":      `{"extends": ["file:` + way.path + `"]}`,
				"Makefile":           "include " + way.path + "\na:\n\tdocker pull alpine:$(X)\n",
				"run.sh":             ". " + way.path + "\ndocker pull alpine:$X\n",
				"skaffold.yaml":      "apiVersion: skaffold/v4beta1\nkind: Config\nrequires:\n- path: " + way.path + "\n",
			})
			for _, args := range commands(list) {
				if run := inProcess(t, dir, args...); strings.Contains(run.stdout+run.stderr, canary) {
					t.Errorf("%q reads outside of the tree:\n%s%s", args, run.stdout, run.stderr)
				}
			}
			for _, setting := range []string{"approved: " + way.path, "registries: {r.example: {ca: " + way.path + "}}\nonline: {allowed: [r.example]}"} {
				write(t, dir, map[string]string{configuration: setting + "\n", "r.Dockerfile": "FROM r.example/a:1\n"})
				run := inProcess(t, dir, "check", "--online")
				if run.status != exitUsage || strings.Contains(run.stdout+run.stderr, canary) {
					t.Errorf("%s: status %d\n%s%s", setting, run.status, run.stdout, run.stderr)
				}
			}
		})
	}
}
