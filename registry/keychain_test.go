package registry

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// withHelper puts a shell script first on the PATH as the credential helper of
// the name. It gives a file where the script finds what to append to: each
// registry that it was asked for.
func withHelper(t *testing.T, helper, script string) (calls string) {
	t.Helper()
	bin := t.TempDir()
	calls = filepath.Join(bin, "calls")
	text := fmt.Sprintf("#!/bin/sh\nregistry=$(cat)\necho \"$1 $registry\" >>%s\n%s\n", calls, script)
	write(t, filepath.Join(bin, "docker-credential-"+helper), text, 0o700)
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return calls
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sentLogin resolves ref at hosts that want a login, and gives the Authorization
// header that came.
func sentLogin(t *testing.T, ref string) (authorization string, err error) {
	t.Helper()
	n := &names{}
	r := parse(t, "%s", ref)
	serving := r.Host()
	if serving == dockerHub {
		serving = "index.docker.io"
	}
	n.hosts = map[string]http.HandlerFunc{"https://" + serving: func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			challenge(w, `Basic realm="test"`)
			return
		}
		authorization = r.Header.Get("Authorization")
		good(w, r)
	}}
	_, err = newFileClient(Options{Transport: n}).Resolve(context.Background(), r)
	return authorization, err
}

// auth is an entry of a credential file for the password.
func auth(password string) string { return fmt.Sprintf(`{"auth": %q}`, basic(password)) }

// The entries of a file and the references that they are for.
func TestCredentialKeys(t *testing.T) {
	for _, test := range []struct {
		entries map[string]string // passwords
		ref     string
		want    string
	}{
		{map[string]string{"quay.io": "a"}, "quay.io/team/app:1", "a"},
		{map[string]string{"quay.io": "a"}, "ghcr.io/team/app:1", ""},
		{map[string]string{"https://quay.io": "a"}, "quay.io/team/app:1", "a"},
		{map[string]string{"https://quay.io/v1/": "a"}, "quay.io/team/app:1", "a"},
		{map[string]string{"https://quay.io/api": "a"}, "quay.io/team/app:1", "a"},
		{map[string]string{"quay.io/v1": "a"}, "quay.io/team/app:1", "a"},
		{map[string]string{"quay.io/v2/": "a"}, "quay.io/team/app:1", "a"},
		{map[string]string{"registry.test:5000": "a"}, "registry.test:5000/app:1", "a"},
		{map[string]string{"registry.test:5000": "a"}, "registry.test/app:1", ""},
		{map[string]string{"https://index.docker.io/v1/": "a"}, "app:1", "a"},
		{map[string]string{"docker.io": "a"}, "app:1", "a"}, // as Podman writes it
		{map[string]string{"docker.io": "a", "https://index.docker.io/v1/": "b"}, "app:1", "b"},
		{map[string]string{"docker.io/library": "a"}, "app:1", "a"},
		// Namespaces: the longest, by whole parts of the path.
		{map[string]string{"quay.io/team": "a", "quay.io": "b", "quay.io/team/app": "c"}, "quay.io/team/app:1", "c"},
		{map[string]string{"quay.io/team": "a", "quay.io": "b", "quay.io/team/app": "c"}, "quay.io/team/app/x:1", "c"},
		{map[string]string{"quay.io/team": "a", "quay.io": "b", "quay.io/team/app": "c"}, "quay.io/team/app2:1", "a"},
		{map[string]string{"quay.io/team": "a", "quay.io": "b"}, "quay.io/other/app:1", "b"},
		{map[string]string{"quay.io/team": "a"}, "quay.io/other/app:1", ""},
		{map[string]string{"quay.io/team": "a"}, "quay.io/team2/app:1", ""},
		{map[string]string{"quay.io/team/": "a"}, "quay.io/team:1", "a"},
	} {
		var entries []string
		for key, password := range test.entries {
			entries = append(entries, fmt.Sprintf("%q: %s", key, auth(password)))
		}
		dockerConfig(t, `{"auths": {`+strings.Join(entries, ", ")+`}}`)
		want := ""
		if test.want != "" {
			want = "Basic " + basic(test.want)
		}
		if got, err := sentLogin(t, test.ref); err != nil || got != want {
			t.Errorf("%v, %s: sent %q, %v, want %q", test.entries, test.ref, got, err, want)
		}
	}
}

// The places where files are looked for, and which comes first.
func TestCredentialPlaces(t *testing.T) {
	dir := t.TempDir()
	places := []struct{ variable, path string }{
		{"DOCKER_AUTH_CONFIG", ""},
		{"REGISTRY_AUTH_FILE", "explicit.json"},
		{"DOCKER_CONFIG", "docker/config.json"},
		{"XDG_RUNTIME_DIR", "runtime/containers/auth.json"},
		{"XDG_CONFIG_HOME", "config/containers/auth.json"},
	}
	text := func(variable string) string { return `{"auths": {"quay.io": ` + auth(variable) + `}}` }
	set := func(i int) {
		place := places[i]
		if place.path == "" {
			t.Setenv(place.variable, text(place.variable))
			return
		}
		path := filepath.Join(dir, place.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, text(place.variable), 0o600)
		value := path
		if i > 1 {
			first, _, _ := strings.Cut(place.path, "/")
			value = filepath.Join(dir, first)
		}
		t.Setenv(place.variable, value)
	}
	dockerConfig(t, `{}`)
	if got, err := sentLogin(t, "quay.io/app:1"); got != "" || err != nil {
		t.Errorf("sent %q, %v", got, err)
	}
	for i := len(places) - 1; i >= 0; i-- {
		set(i)
		if got, err := sentLogin(t, "quay.io/app:1"); err != nil || got != "Basic "+basic(places[i].variable) {
			t.Errorf("%s: sent %q, %v", places[i].variable, got, err)
		}
	}

	// Those of the home directory.
	for _, path := range []string{".docker/config.json", ".config/containers/auth.json"} {
		home := t.TempDir()
		for _, place := range places {
			t.Setenv(place.variable, "")
		}
		t.Setenv("HOME", home)
		if err := os.MkdirAll(filepath.Dir(filepath.Join(home, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(home, path), text(path), 0o600)
		if got, err := sentLogin(t, "quay.io/app:1"); err != nil || got != "Basic "+basic(path) {
			t.Errorf("%s: sent %q, %v", path, got, err)
		}
	}
}

// A file that can't be used is an error, and what it holds stays out of it.
func TestCredentialFileBroken(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"no JSON":      {`{"auths": {"quay.io": "` + testPassword, "config.json is not a file of credentials"},
		"other JSON":   {`{"auths": ["` + testPassword + `"]}`, "config.json is not a file of credentials"},
		"broken entry": {`{"auths": {"quay.io": {"auth": "` + testPassword + `!"}}}`, "the entry for quay.io in the credential file can't be read"},
	} {
		dockerConfig(t, test.text)
		_, err := sentLogin(t, "quay.io/app:1")
		e := asError(t, err, Credentials)
		if !strings.Contains(e.Error(), test.want) || e.Hint() == "" {
			t.Errorf("%s: error is %q, hint %q, want %q", name, e, e.Hint(), test.want)
		}
		noSecrets(t, err, testPassword)
	}
	// Of a broken entry other registries know nothing.
	dockerConfig(t, `{"auths": {"quay.io": {"auth": "!"}, "ghcr.io": `+auth("a")+`}}`)
	if got, err := sentLogin(t, "ghcr.io/app:1"); err != nil || got != "Basic "+basic("a") {
		t.Errorf("sent %q, %v", got, err)
	}
	if os.Getuid() != 0 {
		dockerConfig(t, `{}`)
		if err := os.Chmod(filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json"), 0); err != nil {
			t.Fatal(err)
		}
		_, err := sentLogin(t, "quay.io/app:1")
		if e := asError(t, err, Credentials); !strings.Contains(e.Error(), "permission denied") {
			t.Errorf("error is %q", e)
		}
	}
}

// Repositories with different credentials do not share a token.
func TestBatchByNamespace(t *testing.T) {
	s := serve(t, newIssuer())
	dockerConfig(t, fmt.Sprintf(`{"auths": {"%[1]s/team": %[2]s, "%[1]s": %[3]s}}`, s.host(), auth("team"), auth("all")))
	c := newFileClient(Options{})
	all := refs(t, s.host(), 4)
	for i := range 4 {
		all = append(all, parse(t, "%s/other/app%d:1", s.host(), i))
	}
	c.Announce(all)
	resolveEach(t, c, all)
	sent := map[string]int{}
	for _, h := range s.headers {
		if authorization := h.Get("Authorization"); strings.HasPrefix(authorization, "Basic ") {
			sent[authorization]++
		}
	}
	if len(sent) != 2 || sent["Basic "+basic("team")] != 1 || sent["Basic "+basic("all")] != 1 {
		t.Errorf("sent the logins %v, want one of each", sent)
	}
}

// The helpers of cloud providers need nothing but their names.
func TestHelpers(t *testing.T) {
	for helper, host := range map[string]string{
		"ecr-login":   "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
		"gcloud":      "europe-docker.pkg.dev",
		"gcr":         "gcr.io",
		"acr-env":     "team.azurecr.io",
		"osxkeychain": "registry.test:5000",
		"pass":        "docker.io",
	} {
		t.Run(helper, func(t *testing.T) {
			calls := withHelper(t, helper, `echo '{"ServerURL": "x", "Username": "lint", "Secret": "the-password"}'`)
			dockerConfig(t, fmt.Sprintf(`{"credHelpers": {%q: %q}}`, host, helper))
			if got, err := sentLogin(t, host+"/team/app:1"); err != nil || got != "Basic "+basic(testPassword) {
				t.Errorf("sent %q, %v", got, err)
			}
			want := "get " + host + "\n"
			if host == dockerHub {
				want = "get https://index.docker.io/v1/\n"
			}
			if got := read(t, calls); got != want {
				t.Errorf("the helper was asked %q, want %q", got, want)
			}
			if got, err := sentLogin(t, "elsewhere.test/app:1"); err != nil || got != "" {
				t.Errorf("elsewhere: sent %q, %v", got, err)
			}
			if got := read(t, calls); got != want {
				t.Errorf("the helper of one registry was asked for another: %q", got)
			}
		})
	}
}

// One call of the helper is enough for all repositories of a registry, also
// with entries for namespaces.
func TestHelperOnce(t *testing.T) {
	s := newMemory(t)
	calls := withHelper(t, "test", `echo '{"Username": "lint", "Secret": "x"}'`)
	dockerConfig(t, fmt.Sprintf(`{"credsStore": "test", "auths": {"%[1]s": {}, "%[1]s/team": %[2]s}}`, s.host(), auth("team")))
	c := newFileClient(Options{})
	for i := range 50 {
		for _, namespace := range []string{"team", "other"} {
			_, err := c.Resolve(context.Background(), parse(t, "%s/%s/app%d:1", s.host(), namespace, i))
			asError(t, err, NotFound)
		}
	}
	if got, want := read(t, calls), "get "+s.host()+"\n"; got != want {
		t.Errorf("the helper was asked %q, want %q", got, want)
	}
}

func TestHelperFails(t *testing.T) {
	for name, test := range map[string]struct{ helper, script, want string }{
		"missing":    {"missing", "", "the credential helper docker-credential-missing is not installed"},
		"fails":      {"test", "echo the-password; echo the-password >&2; exit 3", "the credential helper docker-credential-test failed (exit status 3)"},
		"junk":       {"test", "echo the-password", "the credential helper docker-credential-test printed no credentials"},
		"not a name": {"../x", "", "the credential helper docker-credential-../x is not the name of a program"},
	} {
		t.Run(name, func(t *testing.T) {
			calls := withHelper(t, "test", test.script)
			dockerConfig(t, fmt.Sprintf(`{"credsStore": %q}`, test.helper))
			s := newMemory(t)
			c := newFileClient(Options{})
			for i := range 3 {
				_, err := c.Resolve(context.Background(), parse(t, "%s/app%d:1", s.host(), i))
				e := asError(t, err, Credentials)
				if e.Err.Error() != test.want || e.Hint() == "" {
					t.Errorf("error is %q, hint %q, want %q", e.Err, e.Hint(), test.want)
				}
				noSecrets(t, err, testPassword)
			}
			if test.helper == "test" {
				if got, want := read(t, calls), "get "+s.host()+"\n"; got != want {
					t.Errorf("the helper was asked %q, want %q", got, want)
				}
			}
			if s.total("HEAD ") != 0 {
				t.Error("the registry was asked without the credentials")
			}
		})
	}
}

// A helper without credentials for a registry leaves the word to the entries.
func TestHelperKnowsNothing(t *testing.T) {
	for _, script := range []string{
		"echo credentials not found in native keychain; exit 1",
		`echo '{"Username": "", "Secret": ""}'`,
	} {
		withHelper(t, "test", script)
		dockerConfig(t, `{"credsStore": "test", "auths": {"quay.io": `+auth("a")+`}}`)
		for ref, want := range map[string]string{"quay.io/app:1": "Basic " + basic("a"), "ghcr.io/app:1": ""} {
			if got, err := sentLogin(t, ref); err != nil || got != want {
				t.Errorf("%s: sent %q, %v, want %q", ref, got, err, want)
			}
		}
	}
}

func TestHelperIdentityToken(t *testing.T) {
	withHelper(t, "test", `echo '{"Username": "<token>", "Secret": "the-token"}'`)
	got, err := runHelper(context.Background(), "test", "registry.test")
	if want := (authn.AuthConfig{IdentityToken: testToken}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// A helper that waits for a person ends with the context.
func TestHelperHangs(t *testing.T) {
	calls := withHelper(t, "test", "exec sleep 3600")
	dockerConfig(t, `{"credsStore": "test"}`)
	s := newMemory(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := newFileClient(Options{}).Resolve(ctx, parse(t, "%s/app:1", s.host()))
		done <- err
	}()
	for {
		if _, err := os.Stat(calls); err == nil {
			break // it runs
		}
		select {
		case err := <-done:
			t.Fatalf("ended with %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	isCanceled(t, <-done)
}

// Where a login is of no use, the hint names the provider's way.
func TestCloudHints(t *testing.T) {
	for host, want := range map[string]string{
		"123456789012.dkr.ecr.us-east-1.amazonaws.com":      "docker-credential-ecr-login",
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn":  "docker-credential-ecr-login",
		"123456789012.dkr.ecr-fips.us-east-1.amazonaws.com": "docker-credential-ecr-login",
		"123456789012.dkr-ecr.us-east-1.on.aws":             "docker-credential-ecr-login",
		"gcr.io":                                            "gcloud auth configure-docker gcr.io",
		"eu.gcr.io":                                         "gcloud auth configure-docker eu.gcr.io",
		"europe-docker.pkg.dev":                             "gcloud auth configure-docker europe-docker.pkg.dev",
		"team.azurecr.io":                                   "az acr login --name team",
		"notgcr.io":                                         "docker login notgcr.io",
		"registry.test":                                     "docker login registry.test",
	} {
		for code, handler := range map[int]http.HandlerFunc{
			401: func(w http.ResponseWriter, r *http.Request) { challenge(w, `Basic realm="test"`) },
			403: api(status(403, "")).ServeHTTP,
		} {
			n := &names{hosts: map[string]http.HandlerFunc{"https://" + host: handler}}
			c, _ := newClient(Options{Transport: n})
			_, err := c.Resolve(context.Background(), parse(t, "%s/app:1", host))
			if e := asError(t, err, Unauthorized); !strings.Contains(e.Hint(), want) {
				t.Errorf("%s, %d: hint is %q, want %q", host, code, e.Hint(), want)
			}
			// With credentials these are at fault.
			c, _ = newClient(Options{Transport: n, Keychain: &keys{logins: map[string]authn.AuthConfig{host: testLogin}}})
			_, err = c.Resolve(context.Background(), parse(t, "%s/app:1", host))
			if e := asError(t, err, Unauthorized); !strings.Contains(e.Hint(), "stored credentials") {
				t.Errorf("%s, %d: hint is %q", host, code, e.Hint())
			}
		}
	}
}
