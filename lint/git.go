package lint

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// gitCommand is git with args in dir ("" is the working directory). It only
// reads, and runs nothing that the repository's configuration names: no hook,
// monitor, pager or remote helper. Filters need [withoutFilters] as well.
func gitCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	fixed := []string{
		"--no-pager", "--no-optional-locks",
		"-c", "core.fsmonitor=false", "-c", "core.hooksPath=" + os.DevNull, "-c", "core.untrackedCache=keep", "-c", "core.sshCommand=false",
	}
	cmd := exec.CommandContext(ctx, "git", append(fixed, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		"GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		// Missing objects of a partial clone are not fetched. Git before 2.45
		// knows the second way only.
		"GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none",
	)
	return cmd
}

// withoutFilters makes cmd run none of the filters that the configuration has
// for the contents of files: comparing the work tree would call them. A file
// that has one, as those of Git LFS do, then counts as changed
// (https://git-scm.com/docs/gitattributes#_filter).
func withoutFilters(ctx context.Context, cmd *exec.Cmd) {
	out, err := gitCommand(ctx, cmd.Dir, "config", "-z", "--name-only", "--get-regexp", `^filter\..*`).Output()
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
