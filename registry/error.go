package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/digestlint/digestlint/image"
)

// Kind is why a registry gave no answer that can be used.
type Kind uint8

const (
	// Invalid is an answer, or a question, that is not what the protocol asks
	// for: no manifest, a wrong digest, a login page.
	Invalid Kind = iota
	// Unauthorized is a registry that wants credentials, or others.
	Unauthorized
	// NotFound is a tag, digest or repository that the registry does not have
	// or does not show.
	NotFound
	// RateLimited is a registry that wants fewer requests.
	RateLimited
	// Unreachable is a host without a name, a connection or a valid
	// certificate.
	Unreachable
	// Timeout is an answer that took longer than [Options.Timeout].
	Timeout
	// Server is a registry that failed, status 5xx.
	Server
	// Credentials is a credential file or helper that failed. Nothing was
	// asked of the registry.
	Credentials
	// Canceled is a context that ended; [errors.Is] finds its error.
	Canceled
	// NotAllowed is a host that [Options.Allowed] keeps from being asked.
	NotAllowed
	// Spared is a manifest that was not read, since Docker Hub counts that as
	// a pull and [Options.SparePulls] is set.
	Spared
)

func (k Kind) String() string {
	return [...]string{"invalid", "unauthorized", "not found", "rate limited", "unreachable", "timeout", "server", "credentials", "canceled", "not allowed", "spared"}[k]
}

// Error is a question to a registry that got no answer.
type Error struct {
	Registry  string // canonical host
	Reference string // as the caller wrote it, or what else was asked for
	Kind      Kind
	Err       error // why, in words of this package

	op   string
	hint string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s %s at %s: %v", e.op, e.Reference, e.Registry, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Summary is the kind of e and the registry, for counting errors.
func (e *Error) Summary() string { return e.Kind.String() + " at " + e.Registry }

// Reason is e without the reference, for where that has been named already.
func (e *Error) Reason() string { return fmt.Sprintf("%s: %v", e.Registry, e.Err) }

// Hint says what the user can do; empty where there is nothing.
func (e *Error) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	switch e.Kind {
	case Unauthorized:
		return "log in with `" + e.login() + "`; a repository that does not exist can look the same"
	case NotFound:
		return "the tag or repository does not exist or is private"
	case RateLimited:
		return "try again later, or log in with `" + e.login() + "` for a higher limit"
	case Unreachable:
		return "check the name of the registry, the network and the proxy variables"
	case Spared:
		return "what an index holds is told without a pull by hub.docker.com, if that can be reached and lists the tag"
	case Timeout, Server:
		return "try again later"
	case NotAllowed:
		return "if it is meant to be asked, name it beside the others: `--allow-registry " + e.Registry + "`, or under online.allowed in the configuration"
	case Credentials:
		return "`" + e.login() + "` shows what is wrong with the credential file or helper"
	}
	return ""
}

func (e *Error) login() string {
	if e.Registry == dockerHub {
		return "docker login"
	}
	return "docker login " + e.Registry
}

// failure is the cause of an [Error], before it is known for which reference.
// Its text is written here or by the standard library's network packages; what
// a server sent or a library made of it may hold a token and never gets in.
type failure struct {
	kind Kind
	text string
	hint string // instead of the hint of the kind
	// status is the HTTP status that is the cause, or zero.
	status int
	// context is the error of an ended context, which callers look for.
	context error
}

func (f *failure) Error() string { return f.text }

// Unwrap gives the error of an ended context, or nil.
func (f *failure) Unwrap() error { return f.context }

// newError names the reference that err was met for.
func newError(op string, ref image.Reference, err error) *Error {
	f := explain(err)
	return &Error{
		Registry:  ref.Host(),
		Reference: ref.String(),
		Kind:      f.kind,
		Err:       f,
		op:        op,
		hint:      f.hint,
	}
}

// newHostError is for a question about a registry as a whole.
func newHostError(op, what, host string, err error) *Error {
	e := newError(op, image.Reference{Registry: host}, err)
	e.Reference = what
	return e
}

// explain puts err into words of this package. The order is that of
// usefulness: an error of go-containerregistry can hold one for HTTPS and one
// for HTTP.
func explain(err error) *failure {
	var own *failure
	var status *transport.Error
	var dns *net.DNSError
	var op *net.OpError
	var network net.Error
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &cert):
		return &failure{kind: Unreachable, text: cert.Error(), hint: "the registry's certificate authority is not trusted here; a file with its certificate can be set as `ca` of the registry in the configuration"}
	case errors.As(err, &own):
		return own
	case errors.Is(err, context.Canceled):
		return &failure{kind: Canceled, text: context.Canceled.Error(), context: context.Canceled}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{kind: Canceled, text: context.DeadlineExceeded.Error(), context: context.DeadlineExceeded}
	case errors.As(err, &status):
		return refusal(status.StatusCode)
	case errors.As(err, &dns):
		return &failure{kind: Unreachable, text: dns.Error()}
	case errors.As(err, &op):
		return &failure{kind: Unreachable, text: op.Error()}
	case errors.As(err, &network) && network.Timeout(): // of a TLS handshake
		return &failure{kind: Timeout, text: "the host did not answer in time"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &failure{kind: Unreachable, text: "the connection broke before the answer was complete"}
	case errors.Is(err, http.ErrSchemeMismatch):
		return &failure{kind: Unreachable, text: "the host speaks plain HTTP only", hint: insecureHint}
	}
	return &failure{kind: Invalid, text: "the answer is not one of a registry"}
}

const insecureHint = "if this registry has no HTTPS, list it as insecure"

// refusal is the failure that an HTTP status other than 200 is.
func refusal(status int) *failure {
	f := &failure{kind: Invalid, text: statusText(status), status: status}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		f.kind = Unauthorized
	case status == http.StatusNotFound:
		f.kind = NotFound
	case status == http.StatusTooManyRequests:
		f.kind = RateLimited
	case status >= 500:
		f.kind = Server
	}
	return f
}

// statusText is the status for people. The server's own words are left out.
func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return fmt.Sprintf("%d %s", status, text)
	}
	return fmt.Sprintf("status %d", status)
}
