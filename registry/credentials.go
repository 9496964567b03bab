package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/digestlint/digestlint/image"
)

// account are the credentials for a registry, or for a part of it.
type account struct {
	auth  authn.Authenticator // authn.Anonymous where there are none
	token string              // bearer token that is used as it is
}

// anonymous reports whether there are no credentials.
func (a *account) anonymous() bool { return a.auth == authn.Anonymous }

// account gives the credentials for the repository at path.
func (c *Client) account(ctx context.Context, e *endpoint, path string) (*account, error) {
	if e.foreign {
		return &account{auth: authn.Anonymous}, nil
	}
	namespace := c.keychain.namespace(e.host, path)
	return e.accounts.do(ctx, namespace, func(ctx context.Context) (*account, error) {
		config, err := c.keychain.find(ctx, e, namespace)
		if err != nil {
			return nil, err
		}
		if config == (authn.AuthConfig{}) {
			return &account{auth: authn.Anonymous}, nil
		}
		return &account{auth: authn.FromConfig(config), token: config.RegistryToken}, nil
	})
}

// keychain is a source of credentials.
type keychain interface {
	// namespace is the part of the registry at the canonical host that path
	// belongs to and that has credentials of its own, empty where it has none.
	namespace(host, path string) string
	// find gives the credentials for a namespace, the zero value where there
	// are none.
	find(ctx context.Context, e *endpoint, namespace string) (authn.AuthConfig, error)
}

// foreignKeychain is one of [Options.Keychain].
type foreignKeychain struct{ inner authn.Keychain }

func (foreignKeychain) namespace(string, string) string { return "" }

// find leaves a keychain behind that knows nothing of ctx when that ends.
func (k foreignKeychain) find(ctx context.Context, e *endpoint, _ string) (authn.AuthConfig, error) {
	type outcome struct {
		config *authn.AuthConfig
		err    error
	}
	found := make(chan outcome, 1)
	go func() {
		var o outcome
		var auth authn.Authenticator
		if auth, o.err = authn.Resolve(ctx, k.inner, e.registry); o.err == nil {
			o.config, o.err = authn.Authorization(ctx, auth)
		}
		found <- o
	}()
	select {
	case o := <-found:
		if o.err != nil {
			// The error may hold what is secret.
			return authn.AuthConfig{}, &failure{kind: Credentials, text: "the keychain failed"}
		}
		return *o.config, nil
	case <-ctx.Done():
		return authn.AuthConfig{}, ctx.Err()
	}
}

// credentialFiles are the credentials in the files of Docker and Podman, and
// those of the helpers that the files name. They are read once. Formats:
// https://docs.docker.com/reference/cli/docker/login/#credential-stores and
// https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md.
type credentialFiles struct {
	once  sync.Once
	files []credentialFile
}

// credentialFile is one file. Its maps are by canonical host, and for auths by
// namespace under it as well, as in "quay.io/team".
type credentialFile struct {
	err     error // of a file that can't be read
	auths   map[string]json.RawMessage
	helpers map[string]string
	store   string // the helper of all other registries
}

func (k *credentialFiles) read() []credentialFile {
	k.once.Do(func() {
		if text := os.Getenv("DOCKER_AUTH_CONFIG"); text != "" {
			k.files = append(k.files, parseCredentials("DOCKER_AUTH_CONFIG", []byte(text)))
		}
		for _, path := range credentialPaths() {
			text, err := os.ReadFile(path)
			switch {
			case err == nil:
				k.files = append(k.files, parseCredentials(path, text))
			case !errors.Is(err, os.ErrNotExist):
				k.files = append(k.files, credentialFile{err: &failure{kind: Credentials, text: err.Error()}})
			}
		}
	})
	return k.files
}

// credentialPaths are the files where credentials may be, the most explicit
// first.
func credentialPaths() []string {
	var paths []string
	add := func(dir string, elements ...string) {
		if dir != "" {
			paths = append(paths, filepath.Join(append([]string{dir}, elements...)...))
		}
	}
	home, _ := os.UserHomeDir() // empty on an error
	add(os.Getenv("REGISTRY_AUTH_FILE"))
	if dir := os.Getenv("DOCKER_CONFIG"); dir != "" {
		add(dir, "config.json")
	} else {
		add(home, ".docker", "config.json")
	}
	add(os.Getenv("XDG_RUNTIME_DIR"), "containers", "auth.json")
	if dir := os.Getenv("XDG_CONFIG_HOME"); dir != "" {
		add(dir, "containers", "auth.json")
	} else {
		add(home, ".config", "containers", "auth.json")
	}
	return paths
}

// parseCredentials reads what stands at a place, a path or a variable.
func parseCredentials(place string, text []byte) credentialFile {
	var written struct {
		Auths   map[string]json.RawMessage `json:"auths"`
		Helpers map[string]string          `json:"credHelpers"`
		Store   string                     `json:"credsStore"`
	}
	if err := json.Unmarshal(text, &written); err != nil {
		// The error may quote the text.
		return credentialFile{err: &failure{kind: Credentials, text: place + " is not a file of credentials", hint: "check that it is valid JSON"}}
	}
	f := credentialFile{auths: make(map[string]json.RawMessage), helpers: make(map[string]string), store: written.Store}
	// In order, since two keys may mean the same.
	for _, key := range slices.Sorted(maps.Keys(written.Auths)) {
		if auth := written.Auths[key]; !noEntry(auth) {
			f.auths[canonicalKey(key)] = auth
		}
	}
	for key, helper := range written.Helpers {
		f.helpers[canonicalKey(key)] = helper
	}
	return f
}

// noEntry reports whether an entry only says that a helper has the credentials.
func noEntry(auth json.RawMessage) bool {
	var config authn.AuthConfig
	return json.Unmarshal(auth, &config) == nil && config == authn.AuthConfig{}
}

// canonicalKey is the canonical host that a key is for, with the namespace
// behind it. Docker writes addresses, some with the version of the protocol:
// "https://index.docker.io/v1/".
func canonicalKey(key string) string {
	_, address, isAddress := strings.Cut(key, "://")
	if isAddress {
		key = address
	}
	host, namespace, _ := strings.Cut(key, "/")
	host = image.Reference{Registry: host}.Host()
	namespace = strings.Trim(namespace, "/")
	if isAddress || namespace == "" || namespace == "v1" || namespace == "v2" {
		return host
	}
	return host + "/" + namespace
}

// namespace is the longest one with an entry.
func (k *credentialFiles) namespace(host, path string) string {
	files := k.read()
	for namespace := path; namespace != ""; {
		for _, f := range files {
			if _, ok := f.auths[host+"/"+namespace]; ok {
				return namespace
			}
		}
		namespace = namespace[:max(strings.LastIndexByte(namespace, '/'), 0)]
	}
	return ""
}

func (k *credentialFiles) find(ctx context.Context, e *endpoint, namespace string) (authn.AuthConfig, error) {
	key := e.host
	if namespace != "" {
		key += "/" + namespace
	}
	for _, f := range k.read() {
		config, err := f.find(ctx, e, key)
		if err != nil || config != (authn.AuthConfig{}) {
			return config, err
		}
	}
	return authn.AuthConfig{}, nil
}

// find gives the credentials of the file for a key of its auths. Helpers come
// first, as Docker has it, and know of hosts only.
func (f credentialFile) find(ctx context.Context, e *endpoint, key string) (authn.AuthConfig, error) {
	if f.err != nil {
		return authn.AuthConfig{}, f.err
	}
	helper, ok := f.helpers[key]
	if !ok && key == e.host {
		helper = f.store
	}
	if helper != "" {
		config, err := runHelper(ctx, helper, helperKey(e.registry))
		if err != nil || config != (authn.AuthConfig{}) {
			return config, err
		}
	}
	var config authn.AuthConfig
	if auth, ok := f.auths[key]; ok {
		if err := json.Unmarshal(auth, &config); err != nil {
			// The error may quote the text.
			return authn.AuthConfig{}, &failure{kind: Credentials, text: "the entry for " + key + " in the credential file can't be read"}
		}
	}
	return config, nil
}

// helperKey is what helpers call a registry.
func helperKey(registry name.Registry) string {
	if registry.RegistryStr() == name.DefaultRegistry {
		return authn.DefaultAuthKey
	}
	return registry.RegistryStr()
}

// helperTimeout is the longest time that a helper may take. One that waits for
// a person who is not there would hold up everything else.
const helperTimeout = time.Minute

// runHelper asks a credential helper for the credentials of a registry, the
// zero value if it has none. Protocol:
// https://github.com/docker/docker-credential-helpers#development.
func runHelper(ctx context.Context, helper, registry string) (authn.AuthConfig, error) {
	program := "docker-credential-" + helper
	broken := func(what, hint string) error {
		return &failure{kind: Credentials, text: "the credential helper " + program + " " + what, hint: hint}
	}
	if filepath.Base(program) != program {
		return authn.AuthConfig{}, broken("is not the name of a program", "")
	}
	limited, cancel := context.WithTimeout(ctx, helperTimeout)
	defer cancel()
	cmd := exec.CommandContext(limited, program, "get")
	cmd.Stdin = strings.NewReader(registry)
	cmd.WaitDelay = time.Second // a child of the helper may keep its output open
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return authn.AuthConfig{}, ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return authn.AuthConfig{}, broken("is not installed", "install it, or remove it from the credential file")
	case limited.Err() != nil:
		return authn.AuthConfig{}, broken("gave no answer within "+helperTimeout.String(), "")
	case bytes.Contains(out, []byte("credentials not found")):
		return authn.AuthConfig{}, nil
	case errors.As(err, &exit): // its text is "exit status 1" or the like
		return authn.AuthConfig{}, broken("failed ("+exit.Error()+")", "")
	default:
		return authn.AuthConfig{}, broken("could not be run", "")
	}
	var answer struct{ Username, Secret string }
	if err := json.Unmarshal(out, &answer); err != nil {
		return authn.AuthConfig{}, broken("printed no credentials", "")
	}
	if answer.Username == "<token>" {
		return authn.AuthConfig{IdentityToken: answer.Secret}, nil
	}
	return authn.AuthConfig{Username: answer.Username, Password: answer.Secret}, nil
}

// note gives a refusal a hint that fits what is known of the credentials.
func (r *repository) note(f *failure) error {
	if f.kind != Unauthorized {
		return f
	}
	noted := *f
	if !r.anonymous {
		noted.hint = "the stored credentials were refused: log in again, or as somebody who may read the repository"
	} else if hint := cloudHint(r.host); hint != "" {
		noted.hint = hint
	}
	return &noted
}

// cloudHint says how credentials are usually had for a registry of a cloud
// provider, where a plain login is of no use or ends soon. It is empty for
// other hosts.
func cloudHint(host string) string {
	account, _, _ := strings.Cut(host, ".")
	under := func(domains ...string) bool {
		return slices.ContainsFunc(domains, func(d string) bool { return strings.HasSuffix("."+host, "."+d) })
	}
	switch {
	// https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
	case strings.Contains(host, ".dkr.ecr") && under("amazonaws.com", "amazonaws.com.cn"), strings.Contains(host, ".dkr-ecr.") && under("on.aws"):
		return "set the credential helper ecr-login for " + host + " (docker-credential-ecr-login), or log in with `aws ecr get-login-password`"
	// https://cloud.google.com/artifact-registry/docs/docker/authentication
	case under("gcr.io", "pkg.dev"):
		return "set the credential helper gcloud for " + host + " with `gcloud auth configure-docker " + host + "` (or docker-credential-gcr); a repository that does not exist can look the same"
	// https://learn.microsoft.com/azure/container-registry/container-registry-authentication
	case under("azurecr.io", "azurecr.cn", "azurecr.us"):
		return "log in with `az acr login --name " + account + "`, or set the credential helper acr-env for " + host + " (docker-credential-acr-env)"
	}
	return ""
}
