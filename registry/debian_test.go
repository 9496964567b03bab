package registry

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const (
	user     = "lint"
	password = "secret"
	// passwordHash is password, as bcrypt with the least cost has it.
	passwordHash = "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"
)

// startDistribution starts the registry of the CNCF project distribution,
// which Debian packages as docker-registry, on a free port, with a login. It
// gives the registry host and stops it after the test.
func startDistribution(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("docker-registry is not installed; CI must have it (Debian package docker-registry)")
		}
		t.Skip("docker-registry is not installed (Debian package docker-registry)")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "htpasswd"), user+":"+passwordHash+"\n", 0o600)
	config := filepath.Join(dir, "config.yml")
	write(t, config, fmt.Sprintf(`version: 0.1
log: {level: info}
storage:
  filesystem: {rootdirectory: %[1]s/data}
http:
  addr: 127.0.0.1:0
  secret: test
auth:
  htpasswd: {realm: test, path: %[1]s/htpasswd}
`, dir), 0o600)

	cmd := exec.Command(program, "serve", config)
	cmd.Env = []string{"OTEL_TRACES_EXPORTER=none"}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	logged := bufio.NewReader(stderr)
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	listening := regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)
	var log strings.Builder
	for {
		line, err := logged.ReadString('\n')
		log.WriteString(line)
		if m := listening.FindStringSubmatch(line); m != nil {
			go io.Copy(io.Discard, logged) // a full pipe would stop it
			return m[1]
		}
		if err != nil {
			t.Fatalf("docker-registry did not start:\n%s", log.String())
		}
	}
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// dockerConfig makes content the only credential file.
func dockerConfig(t *testing.T, content string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"} {
		t.Setenv(name, filepath.Join(dir, "empty"))
	}
	t.Setenv("REGISTRY_AUTH_FILE", "")
	t.Setenv("DOCKER_AUTH_CONFIG", "")
	t.Setenv("DOCKER_CONFIG", dir)
	write(t, filepath.Join(dir, "config.json"), content, 0o600)
}

// login is a credential file with one login.
func login(host, password string) string {
	return fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, host, basic(password))
}

func basic(password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

func TestDistribution(t *testing.T) {
	host := startDistribution(t)
	push := remote.WithAuth(authn.FromConfig(authn.AuthConfig{Username: user, Password: password}))
	img := pushImage(t, host+"/team/app:1", push)
	index := pushIndex(t, host+"/team/app:2", 2, push)
	ctx := context.Background()

	t.Run("anonymous", func(t *testing.T) {
		dockerConfig(t, `{}`)
		c := newFileClient(Options{})
		_, err := c.Resolve(ctx, parse(t, "%s/team/app:1", host))
		e := asError(t, err, Unauthorized)
		if want := "log in with `docker login " + host + "`"; !strings.HasPrefix(e.Hint(), want) {
			t.Errorf("hint is %q, want %q", e.Hint(), want)
		}
	})
	t.Run("wrong password", func(t *testing.T) {
		dockerConfig(t, login(host, "guessed-password"))
		c := newFileClient(Options{})
		_, err := c.Resolve(ctx, parse(t, "%s/team/app:1", host))
		e := asError(t, err, Unauthorized)
		if !strings.Contains(e.Hint(), "stored credentials were refused") {
			t.Errorf("hint is %q", e.Hint())
		}
		noSecrets(t, err, "guessed-password", basic("guessed-password"))
	})
	t.Run("login", func(t *testing.T) {
		dockerConfig(t, login(host, password))
		c := New(Options{})
		for tag, want := range map[string]string{"1": digestOf(t, img), "2": digestOf(t, index)} {
			got, err := c.Resolve(ctx, parse(t, "%s/team/app:%s", host, tag))
			if err != nil {
				t.Fatal(err)
			}
			if got.Digest != want || got.Index != (tag == "2") {
				t.Errorf("tag %s: got %+v, want %s", tag, got, want)
			}
		}
		children, err := c.Children(ctx, parse(t, "%s/team/app", host), digestOf(t, index))
		if err != nil {
			t.Fatal(err)
		}
		if len(children) != 2 {
			t.Errorf("got the children %v, want two", children)
		}
		for _, child := range children {
			configs, err := c.Children(ctx, parse(t, "%s/team/app", host), child.Digest)
			if err != nil {
				t.Fatal(err)
			}
			if len(configs) != 1 || configs[0].Kind != ChildConfig {
				t.Errorf("got the children %v, want a config", configs)
			}
		}
		_, err = c.Resolve(ctx, parse(t, "%s/team/app:3", host))
		asError(t, err, NotFound)
		_, err = c.Resolve(ctx, parse(t, "%s/team/nothing:1", host))
		asError(t, err, NotFound)
		_, err = c.Children(ctx, parse(t, "%s/team/app", host), hash("sha256", nil))
		asError(t, err, NotFound)
	})
	t.Run("helper", func(t *testing.T) {
		bin := t.TempDir()
		calls := filepath.Join(bin, "calls")
		write(t, filepath.Join(bin, "docker-credential-test"), fmt.Sprintf(`#!/bin/sh
cat >>%s
echo '{"Username": "%s", "Secret": "%s"}'
`, calls, user, password), 0o700)
		t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
		dockerConfig(t, `{"credsStore": "test"}`)
		c := newFileClient(Options{})
		for i := range 5 {
			_, err := c.Resolve(ctx, parse(t, "%s/team/app%d:1", host, i))
			asError(t, err, NotFound) // not Unauthorized
		}
		got, err := os.ReadFile(calls)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != host {
			t.Errorf("the helper was asked for %q, want %q, once", got, host)
		}
	})
	t.Run("broken helper", func(t *testing.T) {
		bin := t.TempDir()
		write(t, filepath.Join(bin, "docker-credential-test"), "#!/bin/sh\necho leaked-password\nexit 1\n", 0o700)
		t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
		dockerConfig(t, `{"credsStore": "test"}`)
		c := newFileClient(Options{})
		_, err := c.Resolve(ctx, parse(t, "%s/team/app:1", host))
		e := asError(t, err, Credentials)
		if !strings.Contains(e.Hint(), "docker login "+host) {
			t.Errorf("hint is %q", e.Hint())
		}
		noSecrets(t, err, "leaked-password")
	})
}

// noSecrets looks for secrets in err and in all that it wraps.
func noSecrets(t *testing.T, err error, secrets ...string) {
	t.Helper()
	for e := err; e != nil; {
		for _, text := range []string{e.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)} {
			for _, secret := range secrets {
				if strings.Contains(text, secret) {
					t.Errorf("the error holds the secret %q: %s", secret, text)
				}
			}
		}
		unwrapper, ok := e.(interface{ Unwrap() error })
		if !ok {
			return
		}
		e = unwrapper.Unwrap()
	}
}
