package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// What editors say of themselves, as far as it matters here and some of what
// does not: VS Code's client library, Neovim 0.7, Helix, and one that knows
// next to nothing.
const (
	vscode = `{"workspace":{"applyEdit":true,"workspaceEdit":{"documentChanges":true,"resourceOperations":["create","rename","delete"],
		"failureHandling":"textOnlyTransactional","normalizesLineEndings":true},"didChangeConfiguration":{"dynamicRegistration":true},
		"didChangeWatchedFiles":{"dynamicRegistration":true,"relativePatternSupport":true},"workspaceFolders":true,"configuration":true},
		"textDocument":{"publishDiagnostics":{"relatedInformation":true,"versionSupport":true,"tagSupport":{"valueSet":[1,2]},"codeDescriptionSupport":true,"dataSupport":true},
		"synchronization":{"dynamicRegistration":true,"willSave":true,"didSave":true},"hover":{"dynamicRegistration":true,"contentFormat":["markdown","plaintext"]},
		"codeAction":{"dynamicRegistration":true,"isPreferredSupport":true,"codeActionLiteralSupport":{"codeActionKind":{"valueSet":["","quickfix","source"]}}}},
		"general":{"positionEncodings":["utf-16"],"staleRequestSupport":{"cancel":true}},"window":{"workDoneProgress":true}}`
	neovim = `{"callHierarchy":{"dynamicRegistration":false},"textDocument":{"codeAction":{"codeActionLiteralSupport":{"codeActionKind":{"valueSet":["","quickfix"]}},
		"dataSupport":true,"dynamicRegistration":false},"hover":{"contentFormat":["markdown","plaintext"]},"publishDiagnostics":{"relatedInformation":true,"tagSupport":{"valueSet":[1,2]}},
		"synchronization":{"didSave":true,"dynamicRegistration":false}},"workspace":{"applyEdit":true,"workspaceEdit":{"resourceOperations":["rename","create","delete"]},"workspaceFolders":true}}`
	helix = `{"general":{"positionEncodings":["utf-8","utf-32","utf-16"]},"workspace":{"applyEdit":true,"workspaceEdit":{"documentChanges":true}},
		"textDocument":{"hover":{"contentFormat":["markdown"]},"publishDiagnostics":{"versionSupport":true},"codeAction":{"codeActionLiteralSupport":{"codeActionKind":{"valueSet":["quickfix"]}}}}}`
	ancient = `{"textDocument":{"hover":{"contentFormat":["plaintext"]}}}`
)

// buildCommand builds the program that an editor starts.
func buildCommand(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "digestlint")
	if out, err := exec.Command("go", "build", "-o", name, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return name
}

// patience is how long a message may take on a machine that is busy.
const patience = 20 * time.Second

// editor is an editor that has started a server.
type editor struct {
	t        *testing.T
	cmd      *exec.Cmd
	in       io.WriteCloser
	messages chan map[string]any
	id       int
	texts    map[string]string // by URI, for the edits of the server
	versions map[string]int
	shown    []string // messages for the user
	// published is what came for other documents while one was waited for,
	// the last of each.
	published map[string]map[string]any
}

func startEditor(t *testing.T, program string, args ...string) *editor {
	t.Helper()
	home := t.TempDir()
	cmd := exec.Command(program, append([]string{"lsp"}, args...)...)
	cmd.Dir = home
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "DOCKER_CONFIG=" + home, "GIT_CONFIG_NOSYSTEM=1", "NO_PROXY=127.0.0.1"}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	e := &editor{published: map[string]map[string]any{}, t: t, cmd: cmd, in: in, messages: make(chan map[string]any, 1000), texts: map[string]string{}, versions: map[string]int{}}
	go func() {
		defer close(e.messages)
		for r := bufio.NewReader(out); ; {
			m, err := readFrame(r)
			if err != nil {
				return
			}
			e.messages <- m
		}
	}()
	return e
}

func readFrame(r *bufio.Reader) (map[string]any, error) {
	size := 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if line == "\r\n" {
			break
		}
		if value, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			size, _ = strconv.Atoi(strings.TrimSpace(value))
		}
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	var m map[string]any
	return m, json.Unmarshal(body, &m)
}

// raw sends bytes as they are.
func (e *editor) raw(text string) {
	e.t.Helper()
	if _, err := io.WriteString(e.in, text); err != nil {
		e.t.Fatal(err)
	}
}

func (e *editor) send(m map[string]any) {
	e.t.Helper()
	m["jsonrpc"] = "2.0"
	data, err := json.Marshal(m)
	if err != nil {
		e.t.Fatal(err)
	}
	e.raw(fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(data), data))
}

func (e *editor) notify(method string, params any) {
	e.send(map[string]any{"method": method, "params": params})
}

// next is the next message that is no request of the server: those are answered.
func (e *editor) next() map[string]any {
	e.t.Helper()
	for {
		select {
		case m, ok := <-e.messages:
			if !ok {
				e.t.Fatal("the server is gone")
			}
			switch m["method"] {
			case "workspace/applyEdit":
				e.apply(m["params"].(map[string]any)["edit"].(map[string]any))
				e.send(map[string]any{"id": m["id"], "result": map[string]any{"applied": true}})
			case "client/registerCapability":
				e.send(map[string]any{"id": m["id"], "result": nil})
			case "window/showMessage":
				e.shown = append(e.shown, m["params"].(map[string]any)["message"].(string))
			default:
				return m
			}
		case <-time.After(patience):
			e.t.Fatal("the server says nothing")
		}
	}
}

// request asks, and waits for the answer.
func (e *editor) request(method string, params any) (result, failure any) {
	e.t.Helper()
	e.id++
	e.send(map[string]any{"id": e.id, "method": method, "params": params})
	for {
		if m := e.next(); m["id"] == float64(e.id) {
			return m["result"], m["error"]
		}
	}
}

// initialize shakes hands, with the folders as the workspace.
func (e *editor) initialize(capabilities string, folders ...string) map[string]any {
	e.t.Helper()
	params := map[string]any{"processId": os.Getpid(), "capabilities": json.RawMessage(capabilities), "trace": "off",
		"clientInfo": map[string]any{"name": "test"}, "rootUri": nil, "workspaceFolders": nil}
	var all []any
	for _, f := range folders {
		all = append(all, map[string]any{"uri": uri(f), "name": filepath.Base(f)})
	}
	if len(all) > 0 {
		params["workspaceFolders"], params["rootUri"] = all, uri(folders[0])
	}
	result, failure := e.request("initialize", params)
	if failure != nil {
		e.t.Fatalf("initialize: %v", failure)
	}
	e.notify("initialized", map[string]any{})
	return result.(map[string]any)["capabilities"].(map[string]any)
}

func uri(path string) string {
	return "file://" + strings.ReplaceAll(filepath.ToSlash(path), " ", "%20")
}

func (e *editor) open(path, text string) string {
	e.t.Helper()
	u := uri(path)
	e.texts[u], e.versions[u] = text, 1
	e.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": u, "languageId": "x", "version": 1, "text": text}})
	return u
}

// change replaces the first occurrence of old, as an editor that sends ranges.
// Texts that are edited this way have no characters beyond ASCII.
func (e *editor) change(u, old, replacement string) {
	e.t.Helper()
	text := e.texts[u]
	i := strings.Index(text, old)
	if i < 0 {
		e.t.Fatalf("there is no %q in %q", old, text)
	}
	e.versions[u]++
	e.texts[u] = text[:i] + replacement + text[i+len(old):]
	e.notify("textDocument/didChange", map[string]any{
		"textDocument":   map[string]any{"uri": u, "version": e.versions[u]},
		"contentChanges": []any{map[string]any{"range": rangeAt(text, i, i+len(old)), "text": replacement}},
	})
}

// replace sends a whole text.
func (e *editor) replace(u, text string) {
	e.t.Helper()
	e.versions[u]++
	e.texts[u] = text
	e.notify("textDocument/didChange", map[string]any{
		"textDocument":   map[string]any{"uri": u, "version": e.versions[u]},
		"contentChanges": []any{map[string]any{"text": text}},
	})
}

// at is a place as the protocol has it, where text is ASCII.
func at(text string, offset int) map[string]any {
	before := text[:offset]
	return map[string]any{"line": strings.Count(before, "\n"), "character": offset - strings.LastIndex(before, "\n") - 1}
}

func rangeAt(text string, start, end int) map[string]any {
	return map[string]any{"start": at(text, start), "end": at(text, end)}
}

// apply makes the edits of the server, in either of their two forms.
func (e *editor) apply(edit map[string]any) {
	e.t.Helper()
	edits := map[string][]any{}
	if changes, ok := edit["changes"].(map[string]any); ok {
		for u, list := range changes {
			edits[u] = list.([]any)
		}
	}
	if changes, ok := edit["documentChanges"].([]any); ok {
		for _, c := range changes {
			document := c.(map[string]any)["textDocument"].(map[string]any)
			u := document["uri"].(string)
			if document["version"] != float64(e.versions[u]) {
				e.t.Errorf("an edit of version %v of %s, which has %d", document["version"], u, e.versions[u])
			}
			edits[u] = c.(map[string]any)["edits"].([]any)
		}
	}
	for u, list := range edits {
		text := e.texts[u]
		// From the end on, so that the places stay what they are.
		for _, x := range slices.Backward(list) {
			r := x.(map[string]any)["range"].(map[string]any)
			start, end := offsetOf(text, r["start"]), offsetOf(text, r["end"])
			text = text[:start] + x.(map[string]any)["newText"].(string) + text[end:]
		}
		e.replace(u, text)
	}
}

func offsetOf(text string, place any) int {
	p := place.(map[string]any)
	offset := 0
	for range int(p["line"].(float64)) {
		offset += strings.Index(text[offset:], "\n") + 1
	}
	return offset + int(p["character"].(float64))
}

// diagnostics waits until what is shown of a document is what is wanted: a line
// each, "LINE:CHARACTER-CHARACTER SEVERITY CODE".
func (e *editor) diagnostics(u string, want ...string) {
	e.t.Helper()
	deadline := time.After(patience)
	for got := []string{"nothing"}; ; {
		params := e.published[u]
		delete(e.published, u)
		if params == nil {
			m := e.nextOr(deadline)
			if m == nil {
				e.t.Fatalf("%s: shown is\n%s\nwant\n%s", u, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			var ok bool
			if params, ok = m["params"].(map[string]any); m["method"] != "textDocument/publishDiagnostics" || !ok {
				continue
			}
		}
		if about := params["uri"].(string); about != u {
			e.published[about] = params
			continue
		}
		if v, ok := params["version"]; ok && v != float64(e.versions[u]) {
			continue
		}
		if got = diagnosticLines(params["diagnostics"].([]any)); slices.Equal(got, want) {
			return
		}
	}
}

// nextOr is the next message, or nil when the time is over.
func (e *editor) nextOr(deadline <-chan time.Time) map[string]any {
	select {
	case <-deadline:
		return nil
	case m, ok := <-e.messages:
		if !ok {
			e.t.Fatal("the server is gone")
		}
		switch m["method"] {
		case "window/showMessage":
			e.shown = append(e.shown, m["params"].(map[string]any)["message"].(string))
		case "client/registerCapability":
			e.send(map[string]any{"id": m["id"], "result": nil})
		}
		return m
	}
}

func diagnosticLines(diagnostics []any) []string {
	var all []string
	for _, x := range diagnostics {
		d := x.(map[string]any)
		r := d["range"].(map[string]any)
		start, end := r["start"].(map[string]any), r["end"].(map[string]any)
		code, _ := d["code"].(string)
		all = append(all, fmt.Sprintf("%v:%v-%v %v %s", start["line"], start["character"], end["character"], d["severity"], code))
	}
	return all
}

// actions are the actions at a place, by title.
func (e *editor) actions(u, text string, only ...string) map[string]map[string]any {
	e.t.Helper()
	i := strings.Index(e.texts[u], text)
	result, failure := e.request("textDocument/codeAction", map[string]any{"textDocument": map[string]any{"uri": u},
		"range": rangeAt(e.texts[u], i, i), "context": map[string]any{"diagnostics": []any{}, "only": only}})
	if failure != nil {
		e.t.Fatalf("codeAction: %v", failure)
	}
	all := map[string]map[string]any{}
	for _, a := range result.([]any) {
		all[a.(map[string]any)["title"].(string)] = a.(map[string]any)
	}
	return all
}

// choose has an action done.
func (e *editor) choose(actions map[string]map[string]any, title string) any {
	e.t.Helper()
	a, ok := actions[title]
	if !ok {
		e.t.Fatalf("no action %q in %v", title, actions)
	}
	if edit, ok := a["edit"].(map[string]any); ok {
		e.apply(edit)
	}
	c, ok := a["command"].(map[string]any)
	if !ok {
		return nil
	}
	result, failure := e.request("workspace/executeCommand", map[string]any{"command": c["command"], "arguments": c["arguments"]})
	if failure != nil {
		e.t.Fatalf("%s: %v", title, failure)
	}
	return result
}

// hover is what is said at the first place of a text.
func (e *editor) hover(u, text string) string {
	e.t.Helper()
	i := strings.Index(e.texts[u], text)
	result, failure := e.request("textDocument/hover", map[string]any{"textDocument": map[string]any{"uri": u}, "position": at(e.texts[u], i)})
	if failure != nil {
		e.t.Fatalf("hover: %v", failure)
	}
	if result == nil {
		return ""
	}
	return result.(map[string]any)["contents"].(map[string]any)["value"].(string)
}

// quit says goodbye.
func (e *editor) quit() {
	e.t.Helper()
	if _, failure := e.request("shutdown", nil); failure != nil {
		e.t.Fatalf("shutdown: %v", failure)
	}
	e.notify("exit", nil)
	if err := e.cmd.Wait(); err != nil {
		e.t.Errorf("after a shutdown and an exit: %v", err)
	}
}

func (e *editor) write(path, text string) {
	e.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// imageRegistry is a registry on loopback with app:1 and tool:1. It counts
// connections.
func imageRegistry(t *testing.T) (host string, digests map[string]string, connections *atomic.Int64) {
	t.Helper()
	connections = &atomic.Int64{}
	server := httptest.NewUnstartedServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	host = strings.TrimPrefix(server.URL, "http://")
	digests = map[string]string{}
	for _, image := range []string{"app", "tool"} {
		img, err := random.Image(64, 1)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := name.ParseReference(host + "/" + image + ":1")
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref, img); err != nil {
			t.Fatal(err)
		}
		digest, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		digests[image] = digest.String()
	}
	connections.Store(0)
	return host, digests, connections
}

const listed = "sha256:2588a44890263a8185bd5d9fadb6bc9220b60245dbcbc4da35e1b62a6f8c230d"

// TestEditors drives the built command over pipes, as editors do.
func TestEditors(t *testing.T) {
	program := buildCommand(t)
	host, digests, connections := imageRegistry(t)

	t.Run("a session of VS Code", func(t *testing.T) {
		e := startEditor(t, program, "--stdio")
		dir := t.TempDir()
		if c := e.initialize(vscode, dir); c["positionEncoding"] != "utf-16" {
			t.Errorf("capabilities %v", c)
		}
		before := "services:\n  app: {image: HOST/app:1}\n  again: {image: HOST/app:1}\n  tool: {image: HOST/tool:1}\n  gone: {image: HOST/gone:1}\n"
		before = strings.ReplaceAll(before, "HOST", host)
		path := filepath.Join(dir, "compose.yaml")
		e.write(path, before)
		u := e.open(path, before)
		width := len(host)
		shown := func(line, start int, name string) string {
			return fmt.Sprintf("%d:%d-%d 1 unpinned-image", line, start, start+width+len(name))
		}
		e.diagnostics(u, shown(1, 15, "/app:1"), shown(2, 17, "/app:1"), shown(3, 16, "/tool:1"), shown(4, 16, "/gone:1"))
		if page := e.hover(u, host+"/tool"); !strings.Contains(page, "`"+host+"/tool:1`") || !strings.Contains(page, "no digest") {
			t.Errorf("hover: %s", page)
		}
		if page := e.hover(u, "services"); page != "" {
			t.Errorf("hover at nothing: %s", page)
		}
		actions := e.actions(u, host+"/app")
		if n := connections.Load(); n != 0 {
			t.Errorf("%d connections before anybody has chosen to pin", n)
		}
		e.choose(actions, "Pin "+host+"/app:1 to its digest (asks its registry)")
		after := strings.Replace(before, "app:1", "app:1@"+digests["app"], 1)
		if e.texts[u] != after {
			t.Errorf("pinned one: %s", e.texts[u])
		}
		e.diagnostics(u, shown(2, 17, "/app:1"), shown(3, 16, "/tool:1"), shown(4, 16, "/gone:1"))

		if _, failure := e.request("workspace/executeCommand", actions["Pin all images in this file (asks their registries)"]["command"]); failure == nil {
			t.Error("an offer about an older version is taken")
		}
		e.choose(e.actions(u, host+"/tool"), "Pin all images in this file (asks their registries)")
		if len(e.shown) != 1 || !strings.Contains(e.shown[0], host+"/gone:1") {
			t.Errorf("shown: %q", e.shown)
		}
		e.diagnostics(u, shown(4, 16, "/gone:1"))

		// The same as pin does to the file.
		out, err := exec.Command(program, "pin", "--no-cache", path).CombinedOutput()
		if exit := (&exec.ExitError{}); !errors.As(err, &exit) {
			t.Errorf("pin: %v, %s", err, out)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != e.texts[u] {
			t.Errorf("pin writes\n%s\nand the editor\n%s", data, e.texts[u])
		}

		e.choose(e.actions(u, host+"/gone"), "Ignore unpinned-image here (give the reason)")
		e.diagnostics(u, "4:4-37 2 unexplained-ignore")
		e.change(u, "[unpinned-image] ", "[unpinned-image] it comes from nowhere")
		e.diagnostics(u)
		e.quit()
	})

	t.Run("typing in Neovim", func(t *testing.T) {
		e := startEditor(t, program)
		if c := e.initialize(neovim, t.TempDir()); c["positionEncoding"] != nil {
			t.Errorf("an encoding for a client that knows of none: %v", c["positionEncoding"])
		}
		// A file that was never saved, in a folder with a space.
		dir := filepath.Join(t.TempDir(), "a folder")
		u := e.open(filepath.Join(dir, "Dockerfile"), "")
		e.diagnostics(u)
		e.replace(u, "# \U0001f642\nFROM "+host+"/app:1 AS é\n")
		e.diagnostics(u, fmt.Sprintf("1:5-%d 1 unpinned-image", 5+len(host)+6))
		e.replace(u, "FROM x\nRUN echo '\U0001f642' && docker pull checkmarx/kics@"+listed+"\n")
		e.diagnostics(u, "0:5-6 1 floating-tag", "1:29-115 1 malicious-digest")
		e.choose(map[string]map[string]any{"x": {"command": map[string]any{"command": "digestlint.explain", "arguments": []any{"malicious-digest"}}}}, "x")
		if len(e.shown) != 1 || !strings.Contains(e.shown[0], "intrusion") {
			t.Errorf("shown: %q", e.shown)
		}
		e.notify("textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": u}})
		e.diagnostics(u)
		e.quit()
	})

	t.Run("bytes for Helix", func(t *testing.T) {
		e := startEditor(t, program)
		if c := e.initialize(helix); c["positionEncoding"] != "utf-8" {
			t.Errorf("capabilities %v", c)
		}
		u := e.open(filepath.Join(t.TempDir(), "Dockerfile"), "FROM a:1\nRUN echo '\U0001f642' && docker pull b:1\n")
		e.diagnostics(u, "0:5-8 1 unpinned-image", "1:31-34 1 unpinned-image")
		e.quit()
	})

	t.Run("an editor that knows next to nothing", func(t *testing.T) {
		e := startEditor(t, program)
		e.initialize(ancient)
		u := e.open(filepath.Join(t.TempDir(), "Dockerfile"), "FROM checkmarx/kics@"+listed+"\n")
		e.diagnostics(u, "0:5-91 1 malicious-digest")
		page := e.hover(u, "kics")
		if !strings.Contains(page, "Malicious (DL-2026-0001)") || strings.ContainsAny(page, "*`") {
			t.Errorf("hover: %s", page)
		}
		actions := e.actions(u, "kics")
		if a := actions["Explain malicious-digest"]; a["command"] != "digestlint.explain" || len(actions) != 1 {
			t.Errorf("actions %v, want the one command", actions)
		}
		e.quit()
	})

	t.Run("what other files say", func(t *testing.T) {
		e := startEditor(t, program)
		dir := t.TempDir()
		compose := "services:\n  app: {image: \"app:${TAG}\"}\n"
		e.write(filepath.Join(dir, ".env"), "TAG=1\n")
		e.write(filepath.Join(dir, "compose.yaml"), compose)
		e.initialize(vscode, dir)
		u := e.open(filepath.Join(dir, "compose.yaml"), compose)
		e.diagnostics(u, "1:16-26 1 unpinned-image")
		env := e.open(filepath.Join(dir, ".env"), "TAG=1\n")
		e.change(env, "TAG=1", "TAG=1@"+strings.Replace(listed, "2588", "0000", 1))
		e.diagnostics(u)
		e.notify("textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": env}})
		e.diagnostics(u, "1:16-26 1 unpinned-image")
		e.quit()
	})

	t.Run("what the folder builds and replaces", func(t *testing.T) {
		e := startEditor(t, program)
		dir := t.TempDir()
		pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n  containers:\n  - {name: a, image: acme/built:1}\n  - {name: b, image: acme/replaced:1}\n  - {name: c, image: acme/other:1}\n"
		e.write(filepath.Join(dir, "base", "pod.yaml"), pod)
		e.write(filepath.Join(dir, "base", "kustomization.yaml"), "resources: [pod.yaml]\n")
		e.write(filepath.Join(dir, "prod", "kustomization.yaml"), "resources: [../base]\nimages:\n- {name: acme/replaced, newTag: \"2\"}\n")
		e.write(filepath.Join(dir, "compose.yaml"), "services:\n  x: {build: ., image: acme/built:1}\n")
		e.initialize(vscode, dir)
		u := e.open(filepath.Join(dir, "base", "pod.yaml"), pod)
		e.diagnostics(u, "7:21-33 1 unpinned-image")
		e.quit()
	})

	t.Run("configuration", func(t *testing.T) {
		e := startEditor(t, program)
		one, two := t.TempDir(), t.TempDir()
		config := filepath.Join(one, ".digestlint.yaml")
		e.write(config, "formats: {\"*.image\": dockerfile}\n")
		e.initialize(vscode, one)
		u, v := e.open(filepath.Join(one, "x.image"), "FROM a:1\n"), e.open(filepath.Join(two, "x.image"), "FROM a:1\n")
		e.diagnostics(u, "0:5-8 1 unpinned-image")
		e.diagnostics(v)
		e.write(filepath.Join(two, ".digestlint.yaml"), "formats: {\"*.image\": dockerfile}\n")
		e.notify("workspace/didChangeWorkspaceFolders", map[string]any{"event": map[string]any{"added": []any{map[string]any{"uri": uri(two), "name": "two"}}, "removed": []any{}}})
		e.diagnostics(v, "0:5-8 1 unpinned-image")

		e.write(config, "formats: {}\nformat: {}\n")
		e.notify("workspace/didChangeWatchedFiles", map[string]any{"changes": []any{map[string]any{"uri": uri(config), "type": 2}}})
		e.diagnostics(uri(config), "1:0-1 1 ")
		if len(e.shown) != 1 || !strings.Contains(e.shown[0], ".digestlint.yaml:2:1") {
			t.Errorf("shown: %q", e.shown)
		}
		e.write(config, "formats: {\"*.image\": dockerfile}\n")
		e.notify("textDocument/didSave", map[string]any{"textDocument": map[string]any{"uri": u}})
		e.diagnostics(uri(config))
		e.diagnostics(u, "0:5-8 1 unpinned-image")

		e.write(filepath.Join(one, ".digestlint-baseline.jsonl"), "")
		e.write(filepath.Join(one, "x.image"), "FROM a:1\n")
		if out, err := exec.Command("sh", "-c", `cd "$0" && "$1" baseline create --force`, one, program).CombinedOutput(); err != nil {
			t.Fatalf("baseline: %v, %s", err, out)
		}
		e.notify("textDocument/didSave", map[string]any{"textDocument": map[string]any{"uri": u}})
		e.diagnostics(u)
		e.change(u, "FROM a:1", "FROM b:1")
		e.diagnostics(u, "0:5-8 1 unpinned-image")
		e.quit()
	})

	t.Run("nothing of the repository is run", func(t *testing.T) {
		e := startEditor(t, program)
		dir := t.TempDir()
		if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
			t.Skipf("git: %v, %s", err, out)
		}
		trap := filepath.Join(dir, "trap")
		e.write(trap, "#!/bin/sh\ntouch "+filepath.Join(dir, "sprung")+"\n")
		if err := os.Chmod(trap, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"core.fsmonitor", "core.hooksPath", "core.pager", "diff.external", "core.sshCommand", "filter.x.clean"} {
			if err := exec.Command("git", "-C", dir, "config", key, trap).Run(); err != nil {
				t.Fatal(err)
			}
		}
		e.write(filepath.Join(dir, ".gitattributes"), "* filter=x\n")
		e.write(filepath.Join(dir, "compose.yaml"), "services:\n  x: {build: ., image: acme/built:1}\n")
		e.initialize(vscode, dir)
		// Only the folder's other file makes this one clean.
		u := e.open(filepath.Join(dir, "run.sh"), "docker run acme/built:1\n")
		e.diagnostics(u)
		e.quit()
		if _, err := os.Stat(filepath.Join(dir, "sprung")); err == nil {
			t.Error("a program of the repository's configuration has been run")
		}
	})
}

// TestEditorMishaps holds that what goes wrong costs itself alone, and that the
// server ends with its editor.
func TestEditorMishaps(t *testing.T) {
	program := buildCommand(t)
	status := func(e *editor, want int) {
		t.Helper()
		err := e.cmd.Wait()
		var exit *exec.ExitError
		got := 0
		if errors.As(err, &exit) {
			got = exit.ExitCode()
		}
		if got != want {
			t.Errorf("status %d, want %d", got, want)
		}
	}
	code := func(failure any) float64 {
		if failure == nil {
			return 0
		}
		return failure.(map[string]any)["code"].(float64)
	}

	e := startEditor(t, program)
	if _, failure := e.request("textDocument/hover", map[string]any{}); code(failure) != -32002 {
		t.Errorf("a request before initialize: %v", failure)
	}
	e.notify("textDocument/didOpen", "too early")
	e.initialize(vscode)
	for _, test := range []struct {
		body string
		code float64
	}{
		{"{", -32700},
		{"[]", -32600},
		{`{"jsonrpc":"2.0","id":"a","method":"textDocument/hover","params":[1]}`, -32602},
		{`{"jsonrpc":"2.0","id":"a","method":"initialize","params":{}}`, -32600},
		{`{"jsonrpc":"2.0","id":"a","method":"workspace/executeCommand","params":{"command":"rm","arguments":[1]}}`, -32602},
		{`{"jsonrpc":"2.0","id":"a","method":"workspace/executeCommand","params":{"command":"digestlint.pin","arguments":[{"uri":"file:///x"}]}}`, -32602},
		{`{"jsonrpc":"2.0","id":"a","method":"workspace/executeCommand","params":{"command":"digestlint.explain","arguments":["x"]}}`, -32602},
		{`{"jsonrpc":"2.0","id":"a","method":"$/unheardOf"}`, -32601},
	} {
		e.raw(fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(test.body), test.body))
		if got := code(e.next()["error"]); got != test.code {
			t.Errorf("%s: %v, want %v", test.body, got, test.code)
		}
	}
	// Nobody is answered who did not ask.
	e.notify("$/unheardOf", nil)
	e.notify("textDocument/didChange", map[string]any{"textDocument": map[string]any{"uri": "file:///never/opened", "version": 9}, "contentChanges": []any{}})
	e.notify("$/cancelRequest", map[string]any{"id": 12345})
	e.raw("Content-Length: 36\r\n\r\n" + `{"jsonrpc":"2.0","id":99,"result":1}`)
	e.open("/x", "") // a folder for lack of a better word
	u := uri(filepath.Join(t.TempDir(), "Dockerfile"))
	e.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": "untitled:Untitled-1", "version": 1, "text": "FROM a:1"}})
	e.texts[u], e.versions[u] = "FROM a:1\n", 1
	e.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": u, "version": 1, "text": "FROM a:1\n"}})
	e.diagnostics(u, "0:5-8 1 unpinned-image")

	// A message that is too large to be read is said, and all is forgotten.
	huge := bytes.Repeat([]byte{' '}, 64<<20+1)
	e.raw(fmt.Sprintf("Content-Length: %d\r\n\r\n", len(huge)))
	if _, err := e.in.Write(huge); err != nil {
		t.Fatal(err)
	}
	e.versions[u] = 0
	e.diagnostics(u)
	e.open(strings.TrimPrefix(u, "file://"), "FROM b:1\n")
	e.diagnostics(u, "0:5-8 1 unpinned-image")
	if _, failure := e.request("shutdown", nil); failure != nil {
		t.Errorf("shutdown: %v", failure)
	}
	if _, failure := e.request("textDocument/hover", map[string]any{}); code(failure) != -32600 {
		t.Errorf("a request after the shutdown: %v", failure)
	}
	e.in.Close()
	status(e, exitFindings)

	// It ends with its editor: at once, in the middle of a message, and told to
	// exit without a shutdown.
	e = startEditor(t, program)
	e.in.Close()
	status(e, exitFindings)
	e = startEditor(t, program)
	e.initialize(vscode, t.TempDir())
	e.raw("Content-Length: 99\r\n\r\n{")
	e.in.Close()
	status(e, exitFindings)
	e = startEditor(t, program)
	e.raw("GET / HTTP/1.1\r\n\r\n")
	status(e, exitUsage)
	e = startEditor(t, program)
	e.initialize(vscode)
	e.notify("exit", nil)
	status(e, exitFindings)
}

// TestEditorCancels holds that a pin which waits for its registry ends when the
// user cancels it, and when the editor goes away.
func TestEditorCancels(t *testing.T) {
	program := buildCommand(t)
	asked := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	defer server.Close()
	e := startEditor(t, program)
	e.initialize(vscode)
	u := e.open(filepath.Join(t.TempDir(), "Dockerfile"), "FROM "+strings.TrimPrefix(server.URL, "http://")+"/a:1\n")
	pin := map[string]any{"command": "digestlint.pin", "arguments": []any{map[string]any{"uri": u, "version": 1}}}
	e.send(map[string]any{"id": "pin", "method": "workspace/executeCommand", "params": pin})
	<-asked
	if page := e.hover(u, "FROM"); page != "" {
		t.Errorf("hover while a pin is under way: %s", page)
	}
	e.send(map[string]any{"id": "pin", "method": "textDocument/hover", "params": map[string]any{"textDocument": map[string]any{"uri": u}}})
	for m := e.next(); ; m = e.next() {
		if m["id"] == "pin" {
			if m["error"].(map[string]any)["code"] != float64(-32600) {
				t.Errorf("an id that is in use: %v", m)
			}
			break
		}
	}
	e.notify("$/cancelRequest", map[string]any{"id": "pin"})
	for m := e.next(); ; m = e.next() {
		if m["id"] == "pin" {
			if m["error"].(map[string]any)["code"] != float64(-32800) {
				t.Errorf("a cancelled request: %v", m)
			}
			break
		}
	}
	e.send(map[string]any{"id": "again", "method": "workspace/executeCommand", "params": pin})
	<-asked
	e.in.Close()
	if err := e.cmd.Wait(); err == nil || e.cmd.ProcessState.ExitCode() != exitFindings {
		t.Errorf("an editor that is gone: %v", err)
	}
}

// TestNeovim is a session with a real editor's client.
func TestNeovim(t *testing.T) {
	nvim, err := exec.LookPath("nvim")
	if err != nil {
		t.Skip("there is no Neovim on this machine")
	}
	host, digests, _ := imageRegistry(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "Dockerfile")
	if err := os.WriteFile(file, []byte("FROM "+host+"/app:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("testdata/neovim.lua")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nvim, "--headless", "--clean", "-c", "luafile "+script)
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "DOCKER_CONFIG=" + dir, "LANG=C.UTF-8",
		"PROGRAM=" + buildCommand(t), "FOLDER=" + dir, "REGISTRY=" + host}
	var messages bytes.Buffer
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, messages.String())
	}
	end := 5 + len(host) + len("/app:1")
	first := fmt.Sprintf("0:5-0:%d unpinned-image\n", end)
	second := fmt.Sprintf("1:31-1:%d unpinned-image\n", 31+len(host)+len("/tool:1"))
	want := first + first + second + "**Image** `" + host + "/app:1`\n" +
		"Pin " + host + "/tool:1 to its digest (asks its registry)\nPin all images in this file (asks their registries)\n" +
		"Ignore unpinned-image here (give the reason)\nExplain unpinned-image\n" + first
	if string(out) != want {
		t.Errorf("got\n%s\nwant\n%s\n%s", out, want, messages.String())
	}
	saved, err := os.ReadFile(file)
	if want := "FROM " + host + "/app:1\nRUN echo é\U0001f642 && docker pull " + host + "/tool:1@" + digests["tool"] + "\n"; err != nil || string(saved) != want {
		t.Errorf("the file is\n%s\nwant\n%s", saved, want)
	}
}
