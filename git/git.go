// Package git runs git to read repositories that strangers may have made.
//
// The commands only read, and nothing that the repository's configuration names
// is run: no hook, monitor, pager or remote helper, and with [WithoutFilters] no
// filter. What they print is for the caller to parse.
package git

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Command is git with args in dir ("" is the working directory), of environ, the
// environment of the process or what [Elsewhere] leaves of it.
func Command(ctx context.Context, dir string, environ []string, args ...string) *exec.Cmd {
	fixed := []string{
		"--no-pager", "--no-optional-locks",
		"-c", "core.fsmonitor=false", "-c", "core.hooksPath=" + os.DevNull, "-c", "core.untrackedCache=keep", "-c", "core.sshCommand=false",
	}
	cmd := exec.CommandContext(ctx, "git", append(fixed, args...)...)
	cmd.Dir = dir
	cmd.Env = append(environ[:len(environ):len(environ)],
		"GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		// Missing objects of a partial clone are not fetched. Git before 2.45
		// knows the second way only.
		"GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none",
	)
	return cmd
}

// Below reports whether a name that an index has, with "/", may be one of a file
// of the tree: git writes down no others, but reads whatever somebody has made
// up, "../x" and ".git/x" among them.
func Below(name string) bool {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.EqualFold(part, ".git") { // for file systems that know no case
			return false
		}
	}
	return true
}

// Elsewhere is the environment for reading a repository that the user names,
// from within a hook of another one, say: what that may have set, like GIT_DIR,
// is left out. The user's own configuration stays, since it says which
// repositories of others are safe to read.
func Elsewhere(environ []string) []string {
	var env []string
	for _, v := range environ {
		if !strings.HasPrefix(v, "GIT_") || strings.HasPrefix(v, "GIT_CONFIG_") || strings.HasPrefix(v, "GIT_EXEC_PATH=") {
			env = append(env, v)
		}
	}
	return env
}

// WithoutFilters makes cmd run none of the filters that the configuration has
// for the contents of files: comparing the work tree would call them. A file
// that has one, as those of Git LFS do, then counts as changed
// (https://git-scm.com/docs/gitattributes#_filter).
func WithoutFilters(ctx context.Context, cmd *exec.Cmd) {
	out, err := Command(ctx, cmd.Dir, os.Environ(), "config", "-z", "--name-only", "--get-regexp", `^filter\..*`).Output()
	if err != nil {
		return // there are none
	}
	// In the environment, as the name of a filter may hold a "=".
	n, _ := strconv.Atoi(os.Getenv("GIT_CONFIG_COUNT"))
	for key := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		value := ""
		if strings.HasSuffix(key, ".required") {
			value = "false"
		}
		cmd.Env = append(cmd.Env, "GIT_CONFIG_KEY_"+strconv.Itoa(n)+"="+key, "GIT_CONFIG_VALUE_"+strconv.Itoa(n)+"="+value)
		n++
	}
	cmd.Env = append(cmd.Env, "GIT_CONFIG_COUNT="+strconv.Itoa(n))
}
