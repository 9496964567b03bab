package exposure

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/digestlint/digestlint/git"
)

// gitFolder runs git in a repository, or in a folder of one, by the rules of
// package git.
type gitFolder struct{ dir string }

// errNoRepository is what is said of a folder that git knows nothing of.
var errNoRepository = errors.New("not a git repository")

// command is git with args. Only plumbing is called, whose output the
// configuration does not change, and the history is read as it was stored:
// without replacements and grafts.
func (g gitFolder) command(ctx context.Context, args ...string) *exec.Cmd {
	fixed := []string{"--no-replace-objects", "--literal-pathspecs", "-c", "core.quotePath=false", "-c", "advice.graftFileDeprecated=false"}
	cmd := git.Command(ctx, g.dir, git.Elsewhere(os.Environ()), append(fixed, args...)...)
	cmd.Env = append(cmd.Env, "GIT_GRAFT_FILE="+os.DevNull)
	return cmd
}

// maxStderr bounds what is kept of git's complaints, in bytes.
const maxStderr = 2000

// limited keeps the first bytes that are written to it. Its buffer is no part of
// its type, since io.Copy would write to that directly.
type limited struct{ kept bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.kept.Write(p[:min(len(p), max(maxStderr-l.kept.Len(), 0))])
	return len(p), nil
}

// output is what a command prints.
func (g gitFolder) output(ctx context.Context, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := g.stream(ctx, nil, func(r *bufio.Reader) error {
		_, err := out.ReadFrom(r)
		return err
	}, args...)
	return out.Bytes(), err
}

// line is what a command prints, without the line ending; empty where it fails.
func (g gitFolder) line(ctx context.Context, args ...string) string {
	out, err := g.output(ctx, args...)
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(out), "\r\n")
}

// stream runs a command, writing its input and reading its output at once. The
// first that fails ends both.
func (g gitFolder) stream(ctx context.Context, in func(*bufio.Writer) error, out func(*bufio.Reader) error, args ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := g.command(ctx, args...)
	var stderr limited
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	var stdin io.WriteCloser
	if in != nil {
		if stdin, err = cmd.StdinPipe(); err != nil {
			return err
		}
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run git: %w", err)
	}
	written := make(chan error, 1)
	go func() {
		if in == nil {
			written <- nil
			return
		}
		w := bufio.NewWriterSize(stdin, 1<<16)
		written <- errors.Join(in(w), w.Flush(), stdin.Close())
	}()
	readErr := out(bufio.NewReaderSize(stdout, 1<<16))
	if readErr != nil {
		cancel() // ends the writer, too
	}
	writeErr := <-written
	waitErr := cmd.Wait()
	switch {
	case readErr != nil && !errors.Is(readErr, io.ErrUnexpectedEOF):
		return readErr
	case waitErr != nil:
		// What git says explains what the pipes only suffered.
		return gitError(args[0], waitErr, stderr.kept.String())
	case readErr != nil:
		return fmt.Errorf("git %s: %w", args[0], readErr)
	case writeErr != nil:
		return fmt.Errorf("git %s: %w", args[0], writeErr)
	}
	return nil
}

// gitError is the failure of a git command in git's own words.
func gitError(command string, err error, stderr string) error {
	if strings.Contains(stderr, "not a git repository") {
		return errNoRepository
	}
	if text := strings.Join(strings.Fields(stderr), " "); text != "" {
		return fmt.Errorf("git %s: %s", command, text)
	}
	return fmt.Errorf("git %s: %w", command, err)
}

// object is an object as "git cat-file --batch" introduces it.
type object struct {
	id   string
	kind string // "blob", "tree", "commit", "tag"; empty where it is missing
	size int64
}

// readHeader reads a line "ID TYPE SIZE" or "NAME missing"
// (https://git-scm.com/docs/git-cat-file#_batch_output).
func readHeader(r *bufio.Reader) (object, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		if errors.Is(err, io.EOF) && line != "" {
			err = io.ErrUnexpectedEOF
		}
		return object{}, err
	}
	fields := strings.Split(strings.TrimSuffix(line, "\n"), " ")
	last := fields[len(fields)-1]
	if last == "missing" || last == "ambiguous" {
		return object{id: fields[0]}, nil
	}
	size, err := strconv.ParseInt(last, 10, 64)
	if err != nil || len(fields) != 3 || size < 0 {
		return object{}, fmt.Errorf("git cat-file: not understood: %q", line)
	}
	return object{id: fields[0], kind: fields[1], size: size}, nil
}

// readContent reads the content behind a header into buf, which it returns. An
// object of more than limit bytes is skipped.
func readContent(r *bufio.Reader, o object, buf []byte, limit int64) ([]byte, error) {
	if o.size > limit {
		_, err := io.CopyN(io.Discard, r, o.size+1)
		return buf[:0], unexpected(err)
	}
	if int64(cap(buf)) < o.size+1 {
		buf = make([]byte, o.size+1, (o.size+1)*5/4)
	}
	buf = buf[:o.size+1] // with the newline behind it
	_, err := io.ReadFull(r, buf)
	return buf[:o.size], unexpected(err)
}

// unexpected is err, an end of the data being too early.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// objects answers for single objects: one process for all, started by the first
// question.
type objects struct {
	cmd   *exec.Cmd // "git cat-file --batch"
	stdin io.WriteCloser
	out   *bufio.Reader
	// failed is the error after which there are no more answers.
	failed error
}

func (o *objects) start() error {
	var err error
	if o.stdin, err = o.cmd.StdinPipe(); err != nil {
		return err
	}
	stdout, err := o.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	o.out = bufio.NewReader(stdout)
	return o.cmd.Start()
}

// close ends the process.
func (o *objects) close() {
	if o.cmd.Process == nil {
		return
	}
	_ = o.stdin.Close()
	_, _ = io.Copy(io.Discard, o.out)
	_ = o.cmd.Wait()
}

var errMissing = errors.New("no such file")

// blob is the content of a file, by its ID or as "COMMIT:PATH".
func (o *objects) blob(name string, limit int64) ([]byte, error) {
	if strings.ContainsAny(name, "\n\r") {
		return nil, errMissing
	}
	if o.cmd.Process == nil && o.failed == nil {
		o.failed = o.start()
	}
	if o.failed != nil {
		return nil, o.failed
	}
	data, err := o.ask(name, limit)
	if err != nil && !errors.Is(err, errMissing) {
		o.failed = fmt.Errorf("git cat-file: %w", err)
	}
	return data, err
}

func (o *objects) ask(name string, limit int64) ([]byte, error) {
	if _, err := io.WriteString(o.stdin, name+"\n"); err != nil {
		return nil, err
	}
	header, err := readHeader(o.out)
	if err != nil {
		return nil, unexpected(err)
	}
	if header.kind == "" {
		return nil, errMissing
	}
	data, err := readContent(o.out, header, nil, limit)
	if err == nil && (header.kind != "blob" || header.size > limit) {
		return nil, errMissing
	}
	return data, err
}
