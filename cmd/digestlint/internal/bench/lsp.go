//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/textproto"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The file that is edited, below the tree, and how often.
const (
	editedFile = "getsentry/self-hosted/docker-compose.yml"
	edits      = 100
)

// tableLSP plays an editor: it opens a file of the tree and changes it, and
// waits each time for what the server finds in it.
func tableLSP(ctx context.Context, b *bench) error {
	dir, err := b.realTree(ctx)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, editedFile)
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // a server that says nothing ends it
	defer cancel()
	e, err := b.startEditor(ctx, dir, file)
	if err != nil {
		return err
	}
	defer e.end()
	opened, err := e.open(string(text))
	if err != nil {
		return err
	}
	var changed []time.Duration
	for i := range edits {
		d, err := e.change(i+2, string(text)+strings.Repeat("#", i+1)+"\n")
		if err != nil {
			return err
		}
		changed = append(changed, d)
	}
	fmt.Fprintf(b.stdout, "\n| | wall |\n|---|---|\n| from the start of `digestlint lsp` to the findings of the first file | %s |\n"+
		"| from a change of a file of %d lines to its findings, median of %d | %.1f ms |\n",
		ms(opened), bytes.Count(text, []byte("\n")), edits, milliseconds(median(changed)))
	return nil
}

// editor speaks with a server as an editor does, in the Language Server
// Protocol: https://microsoft.github.io/language-server-protocol/
type editor struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	root    string // URIs
	uri     string
	started time.Time
}

func (b *bench) startEditor(ctx context.Context, dir, file string) (*editor, error) {
	e := &editor{cmd: exec.CommandContext(ctx, b.digestlint, "lsp"), root: fileURI(dir), uri: fileURI(file), started: time.Now()}
	var err error
	if e.in, err = e.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	e.out = bufio.NewReader(out)
	return e, e.cmd.Start()
}

// end closes the server's input, which ends it.
func (e *editor) end() {
	e.in.Close()
	_ = e.cmd.Wait() // it was not told to exit, and says so
}

func fileURI(name string) string { return (&url.URL{Scheme: "file", Path: name}).String() }

// object is a JSON object.
type object = map[string]any

// capabilities ask for the version of a text beside what was found in it: the
// answers to several changes could not be told apart without.
var capabilities = object{"textDocument": object{"publishDiagnostics": object{"versionSupport": true}}}

// open opens the file, and returns how long it took from the server's start.
func (e *editor) open(text string) (time.Duration, error) {
	folder := object{"uri": e.root, "name": "tree"}
	if err := e.send(object{"id": 1, "method": "initialize", "params": object{
		"processId": nil, "rootUri": e.root, "workspaceFolders": []any{folder}, "capabilities": capabilities}}); err != nil {
		return 0, err
	}
	if err := e.send(object{"method": "initialized", "params": object{}}); err != nil {
		return 0, err
	}
	if err := e.send(object{"method": "textDocument/didOpen", "params": object{
		"textDocument": object{"uri": e.uri, "languageId": "yaml", "version": 1, "text": text}}}); err != nil {
		return 0, err
	}
	err := e.wait(1)
	return time.Since(e.started), err
}

// change gives the file another text, and returns how long its findings took.
func (e *editor) change(version int, text string) (time.Duration, error) {
	start := time.Now()
	if err := e.send(object{"method": "textDocument/didChange", "params": object{
		"textDocument":   object{"uri": e.uri, "version": version},
		"contentChanges": []any{object{"text": text}}}}); err != nil {
		return 0, err
	}
	err := e.wait(version)
	return time.Since(start), err
}

func (e *editor) send(message object) error {
	message["jsonrpc"] = "2.0"
	data, err := json.Marshal(message)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.in, "Content-Length: %d\r\n\r\n%s", len(data), data)
	return err
}

// wait reads until the findings of that version of the file come.
func (e *editor) wait(version int) error {
	for {
		data, err := e.receive()
		if err != nil {
			return err
		}
		var m struct {
			Method string
			Params struct {
				URI     string
				Version int
			}
		}
		if err := json.Unmarshal(data, &m); err != nil {
			return err
		}
		if m.Method == "textDocument/publishDiagnostics" && m.Params.URI == e.uri && m.Params.Version == version {
			return nil
		}
	}
}

// receive reads one message.
func (e *editor) receive() ([]byte, error) {
	header, err := textproto.NewReader(e.out).ReadMIMEHeader()
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(header.Get("Content-Length"))
	if err != nil {
		return nil, err
	}
	data := make([]byte, n)
	_, err = io.ReadFull(e.out, data)
	return data, err
}
