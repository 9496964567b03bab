package lsp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxMessage is the size in bytes of the largest message that is read: a file of
// the largest size that is parsed, with every other character escaped.
const maxMessage = 64 << 20

// maxHeader is the size in bytes of the largest header of a message.
const maxHeader = 8 << 10

// message is a request (method and ID), a notification (method alone) or a
// response (ID alone) of JSON-RPC 2.0 (https://www.jsonrpc.org/specification).
type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *rpcError       `json:"error,omitempty"`
}

// rpcError is why a request has no result.
type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *rpcError) Error() string { return e.Message }

// Error codes of JSON-RPC and of the protocol
// (https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#errorCodes).
const (
	codeParse            = -32700
	codeInvalidRequest   = -32600
	codeMethodNotFound   = -32601
	codeInvalidParams    = -32602
	codeInternal         = -32603
	codeNotInitialized   = -32002
	codeRequestCancelled = -32800
)

// errTooLarge is a message that was skipped unread.
var errTooLarge = fmt.Errorf("a message of more than %d bytes", maxMessage)

// malformed is a body that is no message; what follows it can be read.
type malformed struct {
	id     json.RawMessage // as far as it could be read
	code   int
	reason string
}

func (e *malformed) Error() string { return e.reason }

// survivable reports whether another message can be read after err.
func survivable(err error) bool {
	var bad *malformed
	return errors.As(err, &bad) || errors.Is(err, errTooLarge)
}

// reader reads messages in their frames
// (https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#baseProtocol).
type reader struct{ r *bufio.Reader }

func newReader(r io.Reader) *reader { return &reader{bufio.NewReaderSize(r, maxHeader)} }

// read reads the next message. The one behind it can be read after a
// survivable error; any other error is final, io.EOF where the input ends between
// two messages.
func (r *reader) read() (*message, error) {
	size, err := r.header()
	if err != nil {
		return nil, err
	}
	if size > maxMessage {
		if _, err := io.CopyN(io.Discard, r.r, size); err != nil {
			return nil, err
		}
		return nil, errTooLarge
	}
	// The buffer grows with what arrives, not with what is announced.
	var body bytes.Buffer
	if _, err := io.CopyN(&body, r.r, size); err != nil {
		return nil, unexpected(err)
	}
	m := &message{}
	if err := json.Unmarshal(body.Bytes(), m); err != nil {
		code := codeParse
		if json.Valid(body.Bytes()) {
			code = codeInvalidRequest
		}
		return nil, &malformed{m.ID, code, "not a JSON-RPC message: " + err.Error()}
	}
	return m, nil
}

// header reads the header, and gives the size of the body in bytes.
func (r *reader) header() (size int64, err error) {
	size = -1
	for total := 0; ; {
		line, err := r.r.ReadSlice('\n')
		total += len(line)
		switch {
		case errors.Is(err, io.EOF) && total == 0:
			return 0, io.EOF
		case errors.Is(err, bufio.ErrBufferFull) || total > maxHeader:
			return 0, fmt.Errorf("the header of a message has more than %d bytes", maxHeader)
		case err != nil:
			return 0, unexpected(err)
		}
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			break
		}
		name, value, ok := strings.Cut(text, ":")
		if !ok {
			return 0, fmt.Errorf("%q is no header of a message", text)
		}
		if strings.EqualFold(strings.TrimSpace(name), "Content-Length") {
			size, err = strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			if err != nil || size < 0 {
				return 0, fmt.Errorf("the length of a message is %q", value)
			}
		}
	}
	if size < 0 {
		return 0, errors.New("a message has no Content-Length")
	}
	return size, nil
}

// unexpected is err, where the end of the input is one in the middle of a
// message.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// writeMessage writes m in its frame.
func writeMessage(w io.Writer, m *message) error {
	m.Version = "2.0"
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode a message: %w", err)
	}
	_, err = fmt.Fprintf(w, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return err
}
