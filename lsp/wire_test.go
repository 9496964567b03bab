package lsp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func frame(body string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body) }

func TestRead(t *testing.T) {
	const note = `{"jsonrpc":"2.0","method":"x"}`
	for _, test := range []struct{ name, in, method, wrong string }{
		{name: "plain", in: frame(note), method: "x"},
		{name: "another header", in: "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n" + frame(note), method: "x"},
		{name: "lower case, line feeds", in: "content-length:30\n\n" + note, method: "x"},
		{name: "no JSON", in: frame("{"), wrong: "not a JSON-RPC message"},
		{name: "a batch", in: frame("[" + note + "]"), wrong: "not a JSON-RPC message"},
		{name: "nothing", in: "", wrong: "EOF"},
		{name: "the end in the header", in: "Content-Len", wrong: "unexpected EOF"},
		{name: "the end in the body", in: "Content-Length: 99\r\n\r\n{", wrong: "unexpected EOF"},
		{name: "no length", in: "Content-Type: x\r\n\r\n", wrong: "no Content-Length"},
		{name: "a negative length", in: "Content-Length: -1\r\n\r\n", wrong: "length of a message"},
		{name: "a length beyond all numbers", in: "Content-Length: 99999999999999999999\r\n\r\n", wrong: "length of a message"},
		{name: "no header", in: note + "\r\n\r\n", wrong: "no Content-Length"},
		{name: "an endless header", in: strings.Repeat("a: b\r\n", maxHeader), wrong: "header of a message has more"},
		{name: "an endless line", in: strings.Repeat("a", 2*maxHeader), wrong: "header of a message has more"},
	} {
		m, err := newReader(strings.NewReader(test.in)).read()
		switch {
		case test.wrong == "" && (err != nil || m.Method != test.method):
			t.Errorf("%s: %v, %v", test.name, m, err)
		case test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)):
			t.Errorf("%s: %v, want %s", test.name, err, test.wrong)
		}
	}
}

// TestReadOn holds that one bad body costs itself alone.
func TestReadOn(t *testing.T) {
	big := strings.Repeat(" ", maxMessage+1)
	r := newReader(strings.NewReader(frame(`{"id":7,"method":3}`) + frame(big) + frame(`{"method":"x"}`)))
	_, err := r.read()
	var bad *malformed
	if !errors.As(err, &bad) || bad.code != codeInvalidRequest || string(bad.id) != "7" {
		t.Errorf("a wrong type: %#v", err)
	}
	if _, err := r.read(); !errors.Is(err, errTooLarge) {
		t.Errorf("a large message: %v", err)
	}
	if m, err := r.read(); err != nil || m.Method != "x" {
		t.Errorf("the one behind: %v, %v", m, err)
	}
	if _, err := r.read(); !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
}

// FuzzRead reads what comes, and holds that each message that was read is read
// again from what it is written as.
func FuzzRead(f *testing.F) {
	f.Add([]byte(frame(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`) + frame("{")))
	f.Add([]byte("Content-Length: 5\r\n\r\n[1,2]content-length: 2\n\n{}"))
	f.Add([]byte("Content-Length: 67108865\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for r := newReader(bytes.NewReader(data)); ; {
			m, err := r.read()
			if err != nil && !survivable(err) {
				return
			}
			if err != nil {
				continue
			}
			var out bytes.Buffer
			if err := writeMessage(&out, m); err != nil {
				t.Fatal(err)
			}
			again, err := newReader(&out).read()
			if err != nil || again.Method != m.Method {
				t.Fatalf("%q became %q, %v", m.Method, again.Method, err)
			}
		}
	})
}

func TestURIs(t *testing.T) {
	for _, test := range []struct{ uri, path, back string }{
		{"file:///home/a%20b/%C3%A9%23.yaml", "/home/a b/é#.yaml", "file:///home/a%20b/%C3%A9%23.yaml"},
		{"file:///c%3A/x/Dockerfile", "C:/x/Dockerfile", "file:///C:/x/Dockerfile"},
		{"file://localhost/x", "/x", "file:///x"},
		{"file://server/share/x", "//server/share/x", "file://server/share/x"},
		{"file:///x/", "/x", "file:///x"},
		{"file:///", "/", "file:///"},
		{"untitled:Untitled-1", "", ""},
		{"https://example.com/x", "", ""},
		{"file:x", "", ""},
		{"file:///a%00b", "", ""},
		{":", "", ""},
		{"", "", ""},
	} {
		path, ok := pathOf(test.uri)
		if path != test.path || ok != (test.path != "") {
			t.Errorf("%s: %q, %v", test.uri, path, ok)
		}
		if ok && uriOf(path) != test.back {
			t.Errorf("%s: %s, want %s", path, uriOf(path), test.back)
		}
	}
}
