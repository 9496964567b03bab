package exposure

import (
	"bytes"
	"cmp"
	"iter"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/image"
)

// maxCredentials and maxCredentialName, in bytes, bound what is taken from a
// file.
const (
	maxCredentials    = 100
	maxCredentialName = 200
)

// credentialsOf are the names of what an image could read that the place u
// names: of the job, the service or the workload that runs it, as far as the
// file says. Values are never read.
func credentialsOf(u *image.Use) []Credential {
	find := credentialFinders[u.Format]
	if find == nil {
		return nil
	}
	c := &credentials{use: u}
	find(c)
	return c.list
}

// credentialFinders find credentials by the format of the file.
var credentialFinders = map[string]func(*credentials){
	"githubactions":  (*credentials).github,
	"gitlabci":       (*credentials).gitlab,
	"circleci":       (*credentials).circle,
	"azurepipelines": (*credentials).azure,
	"drone":          (*credentials).drone,
	"woodpecker":     (*credentials).drone,
	"vela":           (*credentials).drone,
	"jenkinsfile":    (*credentials).jenkins,
	"compose":        (*credentials).compose,
	"kubernetes":     (*credentials).kubernetes,
	"dockerfile":     (*credentials).dockerfile,
}

// mergeCredentials adds to list those of more that are not in it.
func mergeCredentials(list, more []Credential) []Credential {
	for _, c := range more {
		if len(list) < maxCredentials && !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	return list
}

// credentials are those of one use, being found.
type credentials struct {
	use   *image.Use
	where string
	list  []Credential
}

func (c *credentials) add(kind, name string) {
	if name = strings.TrimSpace(name); name == "" || len(name) > maxCredentialName {
		return
	}
	where := cmp.Or(c.where, c.use.File.Path)
	c.list = mergeCredentials(c.list, []Credential{{Kind: kind, Name: strings.Clone(name), Where: strings.Clone(where)}})
}

// in says that what is found belongs to a part of the file.
func (c *credentials) in(part string) { c.where = part + " of " + c.use.File.Path }

// part is the name behind prefix in the pointer of the use: "scan" of
// "jobs.scan.container".
func (c *credentials) part(prefix string) string {
	rest, ok := strings.CutPrefix(c.use.Pointer, prefix)
	if !ok {
		return ""
	}
	if end := strings.IndexAny(rest, ".,["); end >= 0 {
		rest = rest[:end]
	}
	return rest
}

// github finds the secrets that the job of a workflow names, its token and what
// its permissions let it ask for
// (https://docs.github.com/en/actions/concepts/security/secrets,
// https://docs.github.com/en/actions/concepts/security/github_token).
func (c *credentials) github() {
	root := c.document()
	name := c.part("jobs.")
	job := child(child(root, "jobs"), name)
	if job == nil {
		return
	}
	c.in("jobs." + name)
	for _, n := range []*yaml.Node{job, child(root, "env")} {
		for text := range scalars(n) {
			c.expressions(text)
		}
	}
	if text(child(job, "secrets")) == "inherit" {
		c.add("secret", "all secrets of the repository")
	}
	permissions := child(job, "permissions")
	if permissions == nil {
		permissions = child(root, "permissions")
	}
	if text(permissions) == "write-all" || text(child(permissions, "id-token")) == "write" {
		c.add("secret", "OIDC token (id-token: write)")
	}
	for step := range items(child(job, "steps")) {
		// The checkout leaves the token in the work tree unless told not to
		// (https://github.com/actions/checkout#usage).
		if strings.HasPrefix(text(child(step, "uses")), "actions/checkout@") && text(child(child(step, "with"), "persist-credentials")) != "false" {
			c.add("secret", "GITHUB_TOKEN")
		}
	}
}

var (
	githubExpression = pattern(`(?s)\$\{\{(.*?)\}\}`)
	githubSecret     = pattern(`\bsecrets(?:\.([A-Za-z_][A-Za-z0-9_-]*)|\[\s*'([^']+)'\s*\]|\s*(?:[),]|$))`)
	githubToken      = pattern(`\bgithub\.token\b`)
)

// expressions finds the secrets in the expressions of a text.
func (c *credentials) expressions(text string) {
	for _, e := range githubExpression().FindAllStringSubmatch(text, -1) {
		for _, m := range githubSecret().FindAllStringSubmatch(strings.TrimSpace(e[1]), -1) {
			c.add("secret", cmp.Or(m[1], m[2], "all secrets of the repository"))
		}
		if githubToken().MatchString(e[1]) {
			c.add("secret", "GITHUB_TOKEN")
		}
	}
}

// gitlabGlobal are the keys of a GitLab pipeline that are no jobs.
var gitlabGlobal = []string{
	"after_script", "before_script", "cache", "default", "image", "include", "services", "spec", "stages", "variables", "workflow",
}

// gitlab finds what a job asks for by name, and says that it has all variables
// of its project (https://docs.gitlab.com/ci/variables/,
// https://docs.gitlab.com/ci/yaml/#id_tokens).
func (c *credentials) gitlab() {
	root := c.document()
	name := c.part("")
	job := child(root, name)
	if job == nil || slices.Contains(gitlabGlobal, name) || strings.HasPrefix(name, ".") {
		job = root // which jobs take it over is said elsewhere
	} else {
		c.in(name)
	}
	for _, key := range []string{"id_tokens", "secrets"} {
		for n := range values(job, key) {
			for token := range pairs(n) {
				c.add("secret", token)
			}
		}
	}
	for _, key := range []string{"before_script", "script", "after_script", "variables"} {
		for n := range values(job, key) {
			for text := range scalars(n) {
				c.variables(text)
			}
		}
	}
	c.add("variable", "all CI/CD variables of the project and its groups")
}

// circle finds the contexts of a job and the variables of its scripts
// (https://circleci.com/docs/guides/security/contexts/).
func (c *credentials) circle() {
	root := c.document()
	name := c.part("jobs.")
	job := child(child(root, "jobs"), name)
	if job == nil {
		job = root // an executor, which any job may use
	} else {
		c.in("jobs." + name)
	}
	for _, workflow := range pairs(child(root, "workflows")) {
		for entry := range items(child(workflow, "jobs")) {
			for of, arguments := range pairs(entry) {
				if job != root && of != name {
					continue
				}
				contexts := child(arguments, "context")
				for text := range scalars(contexts) {
					c.add("secret", "context "+text)
				}
			}
		}
	}
	for text := range scalars(job) {
		c.variables(text)
	}
	c.add("variable", "all environment variables of the project")
}

// azure finds variable groups
// (https://learn.microsoft.com/en-us/azure/devops/pipelines/library/variable-groups).
func (c *credentials) azure() {
	for n := range values(c.document(), "variables") {
		for v := range items(n) {
			if group := text(child(v, "group")); group != "" {
				c.add("variable", "variable group "+group)
			}
		}
	}
}

// drone finds secrets of Drone, Woodpecker and Vela: "from_secret" anywhere,
// and lists of names or of sources
// (https://woodpecker-ci.org/docs/usage/secrets,
// https://go-vela.github.io/docs/reference/yaml/secrets/).
func (c *credentials) drone() {
	root := c.document()
	for n := range values(root, "from_secret") {
		c.add("secret", text(n))
	}
	for n := range values(root, "secrets") {
		for s := range items(n) {
			c.add("secret", cmp.Or(text(s), text(child(s, "source")), text(child(s, "name"))))
		}
	}
}

// jenkinsCredential is how pipelines name a credential
// (https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#handling-credentials).
var jenkinsCredential = pattern(`(?:\bcredentials\(\s*|[cC]redentialsId\s*:?\s*)['"]([^'"\n]+)['"]`)

func (c *credentials) jenkins() {
	for _, m := range jenkinsCredential().FindAllSubmatch(c.use.File.Data, -1) {
		c.add("secret", string(m[1]))
	}
}

// compose finds what a service mounts and is given
// (https://docs.docker.com/reference/compose-file/services/).
func (c *credentials) compose() {
	name := c.part("services.")
	service := child(child(c.document(), "services"), name)
	if service == nil {
		return
	}
	c.in("services." + name)
	for _, of := range []*yaml.Node{service, child(service, "build")} {
		for s := range items(child(of, "secrets")) {
			c.add("mounted secret", cmp.Or(text(s), text(child(s, "source"))))
		}
	}
	files := child(service, "env_file")
	if file := text(files); file != "" {
		c.add("variable", "all of "+file)
	}
	for f := range items(files) {
		if file := cmp.Or(text(f), text(child(f, "path"))); file != "" {
			c.add("variable", "all of "+file)
		}
	}
	c.named("variable", child(service, "environment"))
	c.named("build argument", child(child(service, "build"), "args"))
}

// named finds the keys of a mapping, or the names in a list of NAME=VALUE, that
// are called like credentials.
func (c *credentials) named(kind string, n *yaml.Node) {
	for name := range pairs(n) {
		if isSecret(name) {
			c.add(kind, name)
		}
	}
	for entry := range items(n) {
		if name, _, _ := strings.Cut(text(entry), "="); isSecret(name) {
			c.add(kind, name)
		}
	}
}

// kubernetes finds the service account and the secrets of the object that names
// the image (https://kubernetes.io/docs/concepts/configuration/secret/).
func (c *credentials) kubernetes() {
	root := c.object()
	metadata := child(root, "metadata")
	where := text(child(root, "kind")) + "/" + cmp.Or(text(child(metadata, "name")), text(child(metadata, "generateName")))
	if ns := text(child(metadata, "namespace")); ns != "" {
		where += " in namespace " + ns
	}
	c.in(where)
	pod := false
	for n := range mappings(root) {
		if child(n, "containers") != nil {
			pod = true
		}
		if name := text(child(n, "serviceAccountName")); name != "" {
			c.add("service account", name)
		}
		for s := range items(child(n, "imagePullSecrets")) {
			c.add("pull secret", text(child(s, "name")))
		}
		c.add("mounted secret", text(child(child(n, "secret"), "secretName")))
		for s := range items(child(child(n, "projected"), "sources")) {
			c.add("mounted secret", text(child(child(s, "secret"), "name")))
		}
		c.add("secret", text(child(child(n, "secretRef"), "name")))
		c.add("secret", text(child(child(n, "secretKeyRef"), "name")))
	}
	named := slices.ContainsFunc(c.list, func(c Credential) bool { return c.Kind == "service account" })
	if pod && !named {
		c.add("service account", "default")
	}
}

// object is the document of a stream in which the use stands.
func (c *credentials) object() *yaml.Node {
	line := c.use.Position().Line
	var found *yaml.Node
	for decoder := yaml.NewDecoder(bytes.NewReader(c.use.File.Data)); ; {
		var n yaml.Node
		if decoder.Decode(&n) != nil {
			return found
		}
		if len(n.Content) != 1 {
			continue
		}
		if n.Content[0].Line > line {
			return found
		}
		found = n.Content[0]
	}
}

var (
	dockerArgument = pattern(`(?im)^[ \t]*ARG[ \t]+([A-Za-z_][A-Za-z0-9_]*)`)
	dockerMount    = pattern(`--mount=(\S+)`)
)

// dockerfile finds the build arguments that are called like credentials, and
// the secrets of RUN (https://docs.docker.com/build/building/secrets/).
func (c *credentials) dockerfile() {
	for _, m := range dockerArgument().FindAllSubmatch(c.use.File.Data, -1) {
		if name := string(m[1]); isSecret(name) {
			c.add("build argument", name)
		}
	}
	for _, m := range dockerMount().FindAllSubmatch(c.use.File.Data, -1) {
		options := map[string]string{}
		for option := range strings.SplitSeq(string(m[1]), ",") {
			key, value, _ := strings.Cut(option, "=")
			options[key] = value
		}
		switch options["type"] {
		case "secret":
			c.add("mounted secret", cmp.Or(options["id"], options["target"], options["src"]))
		case "ssh":
			c.add("mounted secret", "SSH agent "+cmp.Or(options["id"], "default"))
		}
	}
}

var shellVariable = pattern(`\$(?:\{)?([A-Za-z_][A-Za-z0-9_]*)`)

// variables finds the variables in a script that are called like credentials.
func (c *credentials) variables(script string) {
	for _, m := range shellVariable().FindAllStringSubmatch(script, -1) {
		if isSecret(m[1]) {
			c.add("variable", m[1])
		}
	}
}

// isSecret reports whether a variable is called like a credential.
func isSecret(name string) bool {
	for word := range strings.SplitSeq(strings.ToUpper(name), "_") {
		switch word {
		case "AUTH", "CREDENTIAL", "CREDENTIALS", "CREDS", "DSN", "JWT", "KUBECONFIG", "PASS", "PAT", "PASSPHRASE", "PASSWD":
			return true
		}
		for _, end := range []string{"KEY", "PASSWORD", "SECRET", "SECRETS", "TOKEN", "TOKENS"} {
			if strings.HasSuffix(word, end) {
				return true
			}
		}
	}
	return false
}

// document is the first document of the file, nil where it can't be read.
func (c *credentials) document() *yaml.Node {
	var n yaml.Node
	if yaml.Unmarshal(c.use.File.Data, &n) != nil || len(n.Content) != 1 {
		return nil
	}
	return n.Content[0]
}

// resolve follows an alias. An alias of an alias is none in YAML.
func resolve(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// child is the value of a key, nil where there is none.
func child(n *yaml.Node, key string) *yaml.Node {
	for k, v := range pairs(n) {
		if k == key {
			return v
		}
	}
	return nil
}

// text is a scalar, empty for anything else.
func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// pairs are the entries of a mapping.
func pairs(n *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		if n = resolve(n); n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, resolve(n.Content[i+1])) {
				return
			}
		}
	}
}

// items are those of a sequence.
func items(n *yaml.Node) iter.Seq[*yaml.Node] {
	return func(yield func(*yaml.Node) bool) {
		if n = resolve(n); n == nil || n.Kind != yaml.SequenceNode {
			return
		}
		for _, c := range n.Content {
			if !yield(resolve(c)) {
				return
			}
		}
	}
}

// maxNodes bounds a walk over a tree in which aliases lead around.
const maxNodes = 100_000

// nodes are n and all below it, each once.
func nodes(n *yaml.Node) iter.Seq[*yaml.Node] {
	return func(yield func(*yaml.Node) bool) {
		seen := map[*yaml.Node]bool{}
		for todo := []*yaml.Node{n}; len(todo) > 0 && len(seen) < maxNodes; {
			n := resolve(todo[len(todo)-1])
			todo = todo[:len(todo)-1]
			if n == nil || seen[n] {
				continue
			}
			seen[n] = true
			if !yield(n) {
				return
			}
			for _, c := range slices.Backward(n.Content) {
				todo = append(todo, c)
			}
		}
	}
}

// scalars are the texts of n and all below it.
func scalars(n *yaml.Node) iter.Seq[string] {
	return func(yield func(string) bool) {
		for n := range nodes(n) {
			if n.Kind == yaml.ScalarNode && !yield(n.Value) {
				return
			}
		}
	}
}

// mappings are the mappings of n and all below it.
func mappings(n *yaml.Node) iter.Seq[*yaml.Node] {
	return func(yield func(*yaml.Node) bool) {
		for n := range nodes(n) {
			if n.Kind == yaml.MappingNode && !yield(n) {
				return
			}
		}
	}
}

// values are the values of a key in n and all mappings below it.
func values(n *yaml.Node, key string) iter.Seq[*yaml.Node] {
	return func(yield func(*yaml.Node) bool) {
		for m := range mappings(n) {
			if v := child(m, key); v != nil && !yield(v) {
				return
			}
		}
	}
}
