package exposure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// engineTimeout is how long an engine may take for one answer.
	engineTimeout = 30 * time.Second
	// maxAnswer bounds one answer of an engine, in bytes.
	maxAnswer = 256 << 20
)

// ReadEngine asks a local engine for its images and containers, by the API of
// Docker (https://docs.docker.com/reference/api/engine/), which podman serves as
// well. It only reads. socket is the path of a socket, a "unix://" URL or, where
// the engine is elsewhere, "tcp://HOST:PORT", which is asked without TLS. An
// empty one is $DOCKER_HOST, if that is a socket, and the usual sockets of
// Docker and podman: all that are there are asked.
func ReadEngine(ctx context.Context, socket string, rec *Recorder) error {
	if socket != "" {
		return readEngine(ctx, socket, rec)
	}
	sockets := usualSockets()
	if len(sockets) == 0 {
		return errors.New("read engine: none of the usual sockets of Docker and podman is here; name it with --docker")
	}
	var errs []error
	for _, s := range sockets {
		errs = append(errs, readEngine(ctx, s, rec))
	}
	return errors.Join(errs...)
}

// usualSockets are the sockets that are here, each once: /var/run/docker.sock
// may well be podman's.
func usualSockets() []string {
	candidates := []string{"/var/run/docker.sock", "/run/podman/podman.sock"}
	if path, ok := strings.CutPrefix(os.Getenv("DOCKER_HOST"), "unix://"); ok {
		candidates = slices.Insert(candidates, 0, path)
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		candidates = append(candidates, filepath.Join(dir, "docker.sock"), filepath.Join(dir, "podman", "podman.sock"))
	}
	if home, err := os.UserHomeDir(); err == nil {
		candidates = append(candidates, filepath.Join(home, ".docker", "run", "docker.sock")) // Docker Desktop
	}
	var found, seen []string
	for _, c := range candidates {
		path, err := filepath.EvalSymlinks(c)
		if err != nil || slices.Contains(seen, path) {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
			found, seen = append(found, c), append(seen, path)
		}
	}
	return found
}

// engine is an engine's API.
type engine struct {
	client *http.Client
	base   string // the URL before the paths
}

// newEngine is the engine at socket.
func newEngine(socket string) (*engine, error) {
	network, address := "unix", socket
	if scheme, rest, ok := strings.Cut(socket, "://"); ok {
		network, address = scheme, rest
	}
	switch network {
	case "unix":
	case "tcp", "http":
		network = "tcp"
	default:
		return nil, fmt.Errorf("%s:// can't be asked; run `docker images --digests` there, and read what it prints with --images", network)
	}
	dialer := &net.Dialer{Timeout: engineTimeout}
	transport := &http.Transport{
		// Whatever the URL says, there is one engine. No proxy is asked.
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
	}
	client := &http.Client{
		Transport:     transport,
		Timeout:       engineTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &engine{client: client, base: "http://engine"}, nil
}

// get gives the answer to a GET of path.
func (g *engine) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.base+path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", path, err)
	}
	response, err := g.client.Do(request)
	if err != nil {
		// The error of the client names the URL, which is made up.
		if inner := (*url.Error)(nil); errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, fmt.Errorf("GET %s: %w", path, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("GET %s: %w", path, err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("GET %s: the answer has more than %d bytes", path, maxAnswer)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("GET %s: status %d: %s", path, response.StatusCode, Cut(string(body)))
	}
	return body, nil
}

// object decodes the answer to a GET of path into v.
func (g *engine) object(ctx context.Context, path string, v any) error {
	body, err := g.get(ctx, path)
	if err != nil {
		return err
	}
	if err := unmarshal(body, v); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}

// engineVersion is the answer to /version.
type engineVersion struct {
	Version, APIVersion string
	Components          []struct{ Name string }
}

// apiVersions are what may stand in a path.
var apiVersions = pattern(`^[0-9]+\.[0-9]+$`)

// podman reports whether the engine is podman, whose API looks like Docker's.
func (v *engineVersion) podman() bool {
	for _, c := range v.Components {
		if strings.HasPrefix(c.Name, "Podman") {
			return true
		}
	}
	return false
}

func readEngine(ctx context.Context, socket string, rec *Recorder) error {
	fail := func(err error) error { return fmt.Errorf("read engine %s: %w", socket, err) }
	g, err := newEngine(socket)
	if err != nil {
		return fail(err)
	}
	defer g.client.CloseIdleConnections()
	var version engineVersion
	if err := g.object(ctx, "/version", &version); err != nil {
		return fail(err)
	}
	// Proxies before a socket often keep this to themselves.
	var host struct{ Name string }
	if err := g.object(ctx, "/info", &host); err != nil {
		host.Name = ""
	}
	if apiVersions().MatchString(version.APIVersion) {
		g.base += "/v" + version.APIVersion
	}

	l := newListing(rec, "engine", socket)
	defer l.finish()
	l.place.Store, l.place.Node = "docker", host.Name
	// Since version 1.48 of the API the answer then holds the digests of the
	// manifests under an index; before, Docker overlooks what it does not know.
	name, query := "Docker", "?manifests=1"
	if version.podman() {
		l.place.Store, name, query = "podman", "podman", ""
	}
	l.note("%s %s knows images and containers that are still there, no others", name, Cut(version.Version))
	if strings.Contains(socket, "://") && !strings.HasPrefix(socket, "unix://") {
		l.note("asked without TLS")
	}
	// Only what is common to both is asked of the lists: to the parameter
	// "digests", podman 4 answers with nothing at all.
	if err := l.ask(ctx, g, "/images/json?all=1", "/images/", query); err != nil {
		return fail(err)
	}
	if err := l.ask(ctx, g, "/containers/json?all=1", "/containers/", ""); err != nil {
		return fail(err)
	}
	return nil
}

// ask reads each object of a list at the engine.
func (l *listing) ask(ctx context.Context, g *engine, list, single, query string) error {
	var all []struct {
		ID string `json:"Id"`
	}
	if err := g.object(ctx, list, &all); err != nil {
		return err
	}
	for _, o := range all {
		body, err := g.get(ctx, single+url.PathEscape(o.ID)+"/json"+query)
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			l.complain(0, err)
			continue
		}
		l.imageItem(listedItem{raw: bytes.TrimSpace(body)})
	}
	return nil
}
