package registry

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const (
	user     = "lint"
	password = "secret"
	// passwordHash is password, as bcrypt with the least cost has it.
	passwordHash = "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"
)

// distribution is a running registry of the CNCF project distribution, which
// Debian packages as docker-registry.
type distribution struct {
	host string
	stop func() // also called after the test
}

// startDistribution starts one on a free port. Its configuration
// (https://distribution.github.io/distribution/about/configuration/) has http
// among the settings of the server, and the rest at its top.
func startDistribution(t *testing.T, http, rest string, env ...string) *distribution {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("docker-registry is not installed; CI must have it (Debian package docker-registry)")
		}
		t.Skip("docker-registry is not installed (Debian package docker-registry)")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	write(t, config, fmt.Sprintf(`version: 0.1
log: {level: info}
storage: {filesystem: {rootdirectory: %s/data}}
http: {addr: "127.0.0.1:0", secret: test, %s}
%s
`, dir, http, rest), 0o600)

	cmd := exec.Command(program, "serve", config)
	cmd.Env = append(env, "OTEL_TRACES_EXPORTER=none")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	logged := bufio.NewReader(stderr)
	stop := sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Cleanup(stop)
	listening := regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)
	var log strings.Builder
	for {
		line, err := logged.ReadString('\n')
		log.WriteString(line)
		if m := listening.FindStringSubmatch(line); m != nil {
			go io.Copy(io.Discard, logged) // a full pipe would stop it
			return &distribution{host: m[1], stop: stop}
		}
		if err != nil {
			t.Fatalf("docker-registry did not start:\n%s", log.String())
		}
	}
}

// withPassword is the setting that lets nobody in but the user.
func withPassword(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "htpasswd")
	write(t, path, user+":"+passwordHash+"\n", 0o600)
	return fmt.Sprintf("auth: {htpasswd: {realm: test, path: %s}}", path)
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
	host := startDistribution(t, "", withPassword(t)).host
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

// certify makes a certificate authority and a certificate for 127.0.0.1, and
// gives the authority with the files of certificate and key.
func certify(t *testing.T) (roots *x509.CertPool, certificate, key string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	newKey := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(err)
		return k
	}
	template := func(name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(1),
			Subject:      pkix.Name{CommonName: name},
			NotBefore:    time.Now().Add(-time.Hour),
			NotAfter:     time.Now().Add(time.Hour),
		}
	}
	authority, authorityKey := template("authority of the test"), newKey()
	authority.IsCA, authority.BasicConstraintsValid, authority.KeyUsage = true, true, x509.KeyUsageCertSign
	server, serverKey := template("registry of the test"), newKey()
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}

	der, err := x509.CreateCertificate(rand.Reader, authority, authority, &authorityKey.PublicKey, authorityKey)
	must(err)
	authority, err = x509.ParseCertificate(der)
	must(err)
	der, err = x509.CreateCertificate(rand.Reader, server, authority, &serverKey.PublicKey, authorityKey)
	must(err)
	keyDER, err := x509.MarshalECPrivateKey(serverKey)
	must(err)

	roots = x509.NewCertPool()
	roots.AddCert(authority)
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, certificate, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), 0o600)
	write(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})), 0o600)
	return roots, certificate, key
}

// A registry with a certificate of an own authority, and a login.
func TestDistributionTLS(t *testing.T) {
	roots, certificate, key := certify(t)
	d := startDistribution(t, fmt.Sprintf("tls: {certificate: %s, key: %s}", certificate, key), withPassword(t))
	push := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(push.CloseIdleConnections)
	img := pushImage(t, d.host+"/team/app:1",
		remote.WithAuth(authn.FromConfig(authn.AuthConfig{Username: user, Password: password})), remote.WithTransport(push))
	dockerConfig(t, login(d.host, password))
	ref := parse(t, "%s/team/app:1", d.host)

	c := newFileClient(Options{Registries: map[string]Registry{d.host: {RootCAs: roots}}})
	if read, err := c.Read(context.Background(), ref); err != nil || read.Digest != digestOf(t, img) {
		t.Errorf("got %+v, %v, want %s", read, err, digestOf(t, img))
	}
	for name, o := range map[string]Options{
		"without":    {},
		"of another": {Registries: map[string]Registry{"registry.test": {RootCAs: roots}}},
		"insecure":   {Registries: map[string]Registry{d.host: {Insecure: true}}}, // means plain HTTP, not any certificate
	} {
		_, err := newFileClient(o).Read(context.Background(), ref)
		e := asError(t, err, Unreachable)
		if !strings.Contains(e.Error(), "certificate") || !strings.Contains(e.Hint(), "`ca`") {
			t.Errorf("%s: error is %q, hint %q", name, e, e.Hint())
		}
	}
}

// A pull-through cache in front of a registry.
func TestDistributionMirror(t *testing.T) {
	upstream := startDistribution(t, "", "")
	mirror := startDistribution(t, "", fmt.Sprintf(`proxy: {remoteurl: "http://%s"}`, upstream.host))
	first := pushIndex(t, upstream.host+"/team/app:1", 2)
	other := pushImage(t, upstream.host+"/team/other:1")
	ctx := context.Background()
	ref := parse(t, "%s/team/app:1", upstream.host)
	// Each client is a new run.
	client := func() *Client {
		c, _ := newClient(Options{Registries: mirrored(upstream.host, mirror.host)})
		return c
	}
	// check reads ref, wants the index, and that the hosts were asked for it.
	check := func(want v1.ImageIndex, hosts ...string) {
		t.Helper()
		c := client()
		m, err := c.Resolve(ctx, ref)
		if err != nil || m.Digest != digestOf(t, want) {
			t.Errorf("resolved %+v, %v, want %s", m, err, digestOf(t, want))
		}
		for _, c := range []*Client{c, client()} { // by the digest, and by the tag
			read, err := c.Read(ctx, ref)
			if err != nil || read.Digest != digestOf(t, want) || len(read.Children) != 2 {
				t.Errorf("read %+v, %v, want %s", read, err, digestOf(t, want))
			}
		}
		var asked []string
		for _, s := range c.Status() {
			asked = append(asked, s.Host)
		}
		if fmt.Sprint(asked) != fmt.Sprint(hosts) {
			t.Errorf("asked %v, want %v", asked, hosts)
		}
	}
	check(first, mirror.host)
	second := pushIndex(t, upstream.host+"/team/app:1", 2)
	check(second, mirror.host)

	upstream.stop()
	check(second, mirror.host)
	// What the mirror has not seen is asked for at both.
	_, err := client().Read(ctx, parse(t, "%s/team/other@%s", upstream.host, digestOf(t, other)))
	if e := asError(t, err, Unreachable); !strings.Contains(e.Error(), mirror.host+": ") || !strings.Contains(e.Error(), "; "+upstream.host+": ") {
		t.Errorf("error is %q", e)
	}
	// And the mirror gone as well, there is nobody left.
	mirror.stop()
	_, err = client().Read(ctx, ref)
	asError(t, err, Unreachable)
}

// A mirror that is gone is no reason to fail.
func TestDistributionMirrorGone(t *testing.T) {
	upstream := startDistribution(t, "", "")
	mirror := startDistribution(t, "", fmt.Sprintf(`proxy: {remoteurl: "http://%s"}`, upstream.host))
	index := pushIndex(t, upstream.host+"/team/app:1", 2)
	mirror.stop()
	c, _ := newClient(Options{Registries: mirrored(upstream.host, mirror.host)})
	read, err := c.Read(context.Background(), parse(t, "%s/team/app:1", upstream.host))
	if err != nil || read.Digest != digestOf(t, index) {
		t.Errorf("got %+v, %v", read, err)
	}
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
