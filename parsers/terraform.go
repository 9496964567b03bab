package parsers

import (
	"bytes"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Terraform reads configurations of Terraform and OpenTofu
// (https://developer.hashicorp.com/terraform/language): the resources of those
// providers that run containers, inputs of modules that can only be images, and
// the scripts and manifests in strings.
var Terraform = register(Format{
	Name:    "terraform",
	Title:   "Terraform",
	Files:   "`*.tf` and `*.tofu`.",
	Places:  "The resources of docker, Kubernetes, AWS, Google and Azure that run containers, inputs of modules that can only be images, and shell and manifests in strings; variables, locals and `for_each` are followed.",
	Comment: "#",
	Detect:  detectTerraform,
	Parse:   parseTerraform,
})

func detectTerraform(c *Candidate) Certainty {
	if base := c.name; strings.HasSuffix(base, ".tf") || strings.HasSuffix(base, ".tofu") {
		return Path
	}
	return No
}

// classModuleLocal is a local value of a module.
var classModuleLocal = &class{noun: "local", safety: image.Unsafe,
	why: "other files of the module may read this local"}

// terraformWords are in every configuration that names an image.
var terraformWords = []string{
	"image", "docker", "podman", "container", "kubectl", "skopeo", "crane", "cosign", "nerdctl", "DOCKER",
}

// terraform is one file of a module being read.
type terraform struct {
	*hclFile
	// others are the files beside it that were opened, nil where there is
	// none.
	others map[string]*hclFile
}

func parseTerraform(p *Pass) {
	if !containsAny(p.Text.Data, terraformWords) {
		return
	}
	h := p.hcl()
	if h == nil {
		return
	}
	t := &terraform{hclFile: h, others: map[string]*hclFile{}}
	h.lookup = func(tr hcl.Traversal, scope *hclScope) *hclName { return t.name(t.hclFile, tr, scope) }
	for _, block := range h.body.Blocks {
		t.top(block)
	}
}

// name is what a traversal in the file h of the module begins with.
func (t *terraform) name(h *hclFile, tr hcl.Traversal, scope *hclScope) *hclName {
	if n := hclScoped(h.text.File, tr, scope); n != nil {
		return n
	}
	switch tr.RootName() {
	case "var":
		if f := t.other("terraform.tfvars"); f != nil && len(tr) > 1 {
			if a := f.body.Attributes[hclStep(tr[1])]; a != nil {
				return f.local("var."+a.Name, classInput, f, 2, a.NameRange, a.Expr)
			}
		}
		return t.inModule(h, tr, "variables.tf", "vars.tf", "main.tf", "inputs.tf", "variables.tofu")
	case "local":
		return t.inModule(h, tr, "locals.tf", "main.tf", "local.tf", "variables.tf", "locals.tofu")
	case "docker_image":
		return t.dockerImage(h, tr)
	}
	return nil
}

// inModule looks a name up in h, then in the files where modules keep it.
func (t *terraform) inModule(h *hclFile, tr hcl.Traversal, names ...string) *hclName {
	if n := h.declared(h, tr, classInput, classModuleLocal); n != nil {
		return n
	}
	if h != t.hclFile {
		if n := h.declared(t.hclFile, tr, classInput, classModuleLocal); n != nil {
			return n
		}
	}
	for _, name := range names {
		if f := t.other(name); f != nil {
			if n := h.declared(f, tr, classInput, classModuleLocal); n != nil {
				return n
			}
		}
	}
	return nil
}

// other is a file beside this one.
func (t *terraform) other(name string) *hclFile {
	if f, ok := t.others[name]; ok {
		return f
	}
	t.others[name] = nil
	file := t.pass.open(name)
	if file == nil || file.Path == t.text.File.Path {
		return nil
	}
	q := *t.pass
	q.Text, q.quiet = source.Whole(file), true
	f := q.hcl()
	if f == nil {
		return nil
	}
	f.budget = t.budget
	f.lookup = func(tr hcl.Traversal, scope *hclScope) *hclName { return t.name(f, tr, scope) }
	t.others[name] = f
	return f
}

// dockerImage is the name that a docker_image resource of this file pulls:
// "docker_image.web.image_id" is the identifier of just that.
func (t *terraform) dockerImage(h *hclFile, tr hcl.Traversal) *hclName {
	if len(tr) < 3 {
		return nil
	}
	resource := hclStep(tr[1])
	n := 3
	if _, indexed := tr[2].(hcl.TraverseIndex); indexed {
		n = 4
	}
	if len(tr) < n {
		return nil
	}
	switch hclStep(tr[n-1]) {
	case "image_id", "latest", "name", "id", "repo_digest":
	default:
		return nil
	}
	for _, block := range h.body.Blocks {
		if block.Type == "resource" && len(block.Labels) == 2 && block.Labels[0] == "docker_image" && block.Labels[1] == resource {
			if e := hclAttribute(block.Body, "name"); e != nil {
				out := h.local("docker_image."+resource, classLocal, h, n, block.LabelRanges[1], e)
				if each := hclAttribute(block.Body, "for_each"); each != nil {
					out.values[0].scope = &hclScope{name: "each", wrapped: true, keyed: true, values: hclElements([]hclValue{{h, each, nil}})}
				}
				return out
			}
		}
	}
	return nil
}

// top reads a block of the first level.
func (t *terraform) top(block *hclsyntax.Block) {
	var scope *hclScope
	if e := hclAttribute(block.Body, "for_each"); e != nil {
		scope = &hclScope{name: "each", wrapped: true, keyed: true, values: hclElements([]hclValue{{t.hclFile, e, nil}})}
	}
	labels := strings.Join(t.labels(block), ".")
	pointer := joinPointer(block.Type, labels)
	b := terraformBlock{terraform: t, pointer: pointer, scope: scope}
	switch block.Type {
	case "resource", "data", "ephemeral":
		if len(block.Labels) == 0 {
			return
		}
		b.kind = block.Labels[0]
		if block.Type == "data" {
			b.kind = "data." + b.kind
		}
		if block.Type == "resource" {
			b.pointer = labels
		}
		b.resource(block.Body)
		b.body(block.Body, 0)
	case "module":
		b.kind = "module"
		b.module(block.Body)
	case "locals", "variable", "output", "check", "provider":
		b.strings(block.Body)
	}
}

// terraformBlock is a block at some depth.
type terraformBlock struct {
	*terraform
	// kind is the type of the resource, "data." before it for data sources.
	kind    string
	path    []string // the blocks between the resource and this one
	pointer string
	scope   *hclScope
}

func (b terraformBlock) report(e hclsyntax.Expression, role image.Role, pointer string) {
	if e == nil {
		return
	}
	if s, ok := hclConstant(e); ok && (s == "" || notRegistry(s)) {
		return
	}
	b.image(e, b.scope, found{role: role, pointer: b.pointer + "." + pointer})
}

// terraformImages are the attributes that name an image, as resource type,
// blocks and attribute. That of a block "container" needs no entry.
var terraformImages = map[string]image.Role{
	"docker_container.image":                       image.Pull,
	"data.docker_image.name":                       image.Pull,
	"data.docker_registry_image.name":              image.Pull,
	"data.docker_registry_manifest.name":           image.Pull,
	"docker_registry_image.name":                   image.Output,
	"docker_tag.target_image":                      image.Output,
	"docker_image.build.tag":                       image.Output,
	"docker_buildx_builder.docker_container.image": image.Pull,
	"docker_buildx_builder.kubernetes.image":       image.Pull,

	"aws_lambda_function.image_uri": image.Pull,
	"aws_apprunner_service.source_configuration.image_repository.image_identifier":    image.Pull,
	"aws_codebuild_project.environment.image":                                         image.Pull,
	"aws_sagemaker_model.primary_container.image":                                     image.Pull,
	"aws_imagebuilder_container_recipe.parent_image":                                  image.Pull,
	"awscc_lambda_function.code.image_uri":                                            image.Pull,
	"google_cloudbuild_trigger.build.step.name":                                       image.Pull,
	"google_cloudbuild_trigger.build.images":                                          image.Output,
	"google_vertex_ai_custom_job.job_spec.worker_pool_specs.container_spec.image_uri": image.Pull,

	"azurerm_app_service.site_config.linux_fx_version":                image.Pull,
	"azurerm_linux_web_app.site_config.linux_fx_version":              image.Pull,
	"azurerm_app_service_slot.site_config.linux_fx_version":           image.Pull,
	"azurerm_function_app.site_config.linux_fx_version":               image.Pull,
	"scaleway_container.registry_image":                               image.Pull,
	"fly_machine.image":                                               image.Pull,
	"koyeb_service.definition.docker.image":                           image.Pull,
	"render_web_service.runtime_source.image.image_url":               image.Pull,
	"oci_container_instances_container_instance.containers.image_url": image.Pull,
	"yandex_serverless_container.image.url":                           image.Pull,
	"ibm_code_engine_app.image_reference":                             image.Pull,
	"ibm_code_engine_job.image_reference":                             image.Pull,
	"railway_service.source_image":                                    image.Pull,
	"spacelift_stack.runner_image":                                    image.Pull,
}

// machineKinds are the beginnings of resource types whose containers are
// machines.
var machineKinds = []string{"lxd_", "proxmox_", "incus_", "libvirt_"}

// resource reads what stands in several attributes of a resource.
func (b terraformBlock) resource(body *hclsyntax.Body) {
	switch b.kind {
	case "docker_image":
		role := image.Pull
		for _, inner := range body.Blocks {
			if inner.Type == "build" || inner.Type == "dynamic" && len(inner.Labels) == 1 && inner.Labels[0] == "build" {
				role = image.Output
			}
		}
		b.report(hclAttribute(body, "name"), role, "name")
	case "nomad_job":
		if t := b.decoded(hclAttribute(body, "jobspec")); t != nil {
			b.pass.nested(t, b.pointer+".jobspec", parseNomad)
		}
	}
}

// body reads the attributes and blocks of a body.
func (b terraformBlock) body(body *hclsyntax.Body, depth int) {
	if depth > maxHCL {
		return
	}
	b.separate(body)
	for _, a := range hclAttributes(body) {
		b.attribute(a)
	}
	for _, block := range body.Blocks {
		inner := b
		var content *hclsyntax.Body
		inner.scope, content = b.dynamic(block, b.scope)
		name := block.Type
		if name == "dynamic" && len(block.Labels) == 1 {
			name = block.Labels[0]
		}
		inner.path = append(slices.Clip(b.path), name)
		inner.pointer = b.pointer + "." + name
		if name == "provisioner" && len(block.Labels) == 1 {
			inner.provisioner(block.Labels[0], content)
			continue
		}
		inner.body(content, depth+1)
	}
}

// last is the innermost block.
func (b terraformBlock) last() string {
	if len(b.path) == 0 {
		return ""
	}
	return b.path[len(b.path)-1]
}

// containerBlock reports whether blocks of that name are containers wherever
// they stand.
func containerBlock(name string) bool {
	switch strings.ToLower(name) {
	case "container", "init_container", "ephemeral_container", "containers", "init_containers", "container_spec", "sidecar",
		"initcontainers", "ephemeralcontainers", "sidecars", "container_definitions", "containerdefinitions", "container_definition",
		"primary_container", "extracontainers", "extrainitcontainers", "extra_containers", "additional_containers", "container_properties", "containerproperties":
		return true
	}
	return false
}

func (b terraformBlock) machine() bool {
	return slices.ContainsFunc(machineKinds, func(k string) bool { return strings.HasPrefix(b.kind, k) })
}

// attribute reads one attribute of a resource.
func (b terraformBlock) attribute(a *hclsyntax.Attribute) {
	full := strings.Join(append(append([]string{b.kind}, b.path...), a.Name), ".")
	full = strings.NewReplacer("_slot.", ".").Replace(full)
	role, known := terraformImages[full]
	switch {
	case known && strings.HasSuffix(a.Name, "fx_version"):
		b.fxVersion(a)
	case known && managedImage(strings.Trim(b.written(a.Expr).String(), `"`)):
	case known:
		for i, e := range hclList(a.Expr) {
			pointer := a.Name
			if e != a.Expr {
				pointer += pointerIndex(i)
			}
			b.report(e, role, pointer)
		}
	case a.Name == "image" && containerBlock(b.last()) && !b.machine():
		b.report(a.Expr, image.Pull, a.Name)
	case a.Name == "reference" && b.last() == "image" && strings.HasPrefix(b.kind, "kubernetes_"):
		b.report(a.Expr, image.Pull, a.Name)
	case a.Name == "image_uri" && b.last() == "container_spec":
		b.report(a.Expr, image.Pull, a.Name)
	default:
		b.nested(a)
	}
}

// hclList is the elements of a tuple, or the expression itself.
func hclList(e hclsyntax.Expression) []hclsyntax.Expression {
	if t, ok := hclUnwrapped(e).(*hclsyntax.TupleConsExpr); ok {
		return t.Exprs
	}
	return []hclsyntax.Expression{e}
}

// managedImage reports whether an image is one of CodeBuild's own, or one of
// Image Builder by its ARN: they have no digest that could be written.
func managedImage(s string) bool {
	return strings.HasPrefix(s, "aws/codebuild/") || strings.HasPrefix(s, "arn:")
}

// fxVersion reads "DOCKER|image" (https://learn.microsoft.com/azure/app-service/).
func (b terraformBlock) fxVersion(a *hclsyntax.Attribute) {
	t := b.decoded(a.Expr)
	if t == nil || !bytes.HasPrefix(bytes.ToUpper(t.Data), []byte("DOCKER|")) {
		return
	}
	vars := b.templating(b.scope)
	ref := t.Slice(len("DOCKER|"), len(t.Data))
	b.pass.Use(found{text: ref, values: expand(ref, vars.scan, vars.look), pointer: b.pointer + "." + a.Name})
}

// separate reads images whose parts are attributes of one block.
func (b terraformBlock) separate(body *hclsyntax.Body) {
	var name, tag, registry string
	switch last := b.last(); {
	case last == "application_stack" && hclAttribute(body, "docker_image_name") != nil:
		name, registry = "docker_image_name", "docker_registry_url"
	case last == "application_stack" && hclAttribute(body, "docker_image") != nil:
		name, tag = "docker_image", "docker_image_tag"
	case last == "docker" && hclAttribute(body, "image_name") != nil:
		name, tag, registry = "image_name", "image_tag", "registry_url"
	case last == "image" && b.kind == "digitalocean_app":
		name, tag, registry = "repository", "tag", "registry"
	case last == "container_image" && strings.HasPrefix(b.kind, "google_"):
		name, tag = "repository", "tag"
	default:
		return
	}
	b.split(hclAttribute(body, registry), hclAttribute(body, name), hclAttribute(body, tag), b.pointer+"."+name)
}

// split reports an image in several expressions; registry and tag may be nil.
func (b terraformBlock) split(registry, name, tag hclsyntax.Expression, pointer string) {
	if name == nil {
		return
	}
	*b.budget = maxHCLExpressions
	f := found{text: b.written(name), pointer: pointer}
	f.values = b.exprs(name, b.scope, 0)
	join := func(with string) []expr { return []expr{{joiner(f.text, with)}} }
	if registry != nil {
		host := b.exprs(registry, b.scope, 0)
		for _, e := range host {
			if len(e) > 0 && len(e[0].text) > 0 {
				e[0].text = strings.TrimPrefix(strings.TrimPrefix(e[0].text, "https://"), "http://")
				e[0].exact = false
			}
		}
		f.values = product(product(trimSlash(host), join("/")), f.values)
	}
	if tag != nil {
		f.values = product(product(f.values, join(":")), b.exprs(tag, b.scope, 0))
		t := b.written(tag)
		if span, exact := t.Span(0, len(t.Data)); exact && len(t.Data) > 0 {
			f.site = &image.Site{File: t.File, Tail: span, Safety: image.Refused,
				Reason: "its parts are separate attributes; write the digest by hand"}
		}
	}
	b.pass.Use(f)
}

// nested reads what an attribute holds that is no string of its own: lists of
// containers, scripts, manifests.
func (b terraformBlock) nested(a *hclsyntax.Attribute) {
	key := strings.ToLower(a.Name)
	if key == "for_each" || key == "depends_on" || key == "count" {
		return // what a resource makes of its items is read where it reads them
	}
	pointer := b.pointer + "." + a.Name
	b.objects(a.Expr, b.scope, pointer, a.Name, func(o *hclsyntax.ObjectConsExpr, scope *hclScope, pointer, key string) bool {
		b.object(o, scope, pointer, key, containerBlock(a.Name) || strings.Contains(strings.ToLower(a.Name), "container"))
		return true
	})
	b.texts(a.Expr, b.scope, pointer, key)
}

// object reads a map that can be a container: one with an image, in an
// attribute for containers or beside what only containers have.
func (b terraformBlock) object(o *hclsyntax.ObjectConsExpr, scope *hclScope, pointer, key string, within bool) {
	inner := b
	inner.scope, inner.pointer = scope, pointer
	for _, name := range []string{"container_image", "docker_image"} {
		if e := hclMember(o, name); e != nil && inner.plausible(e, true) {
			inner.report(e, image.Pull, name)
		}
	}
	if e := hclMember(o, "image"); e != nil {
		if nested, ok := hclUnwrapped(e).(*hclsyntax.ObjectConsExpr); ok {
			if repository := hclMember(nested, "repository"); repository != nil && hclMember(nested, "tag") != nil {
				inner.split(hclMember(nested, "registry"), repository, hclMember(nested, "tag"), pointer+".image.repository")
			}
			return
		}
		if within && !b.machine() || containerBlock(key) || looksLikeContainer(o) {
			inner.report(e, image.Pull, "image")
		}
	}
}

// looksLikeContainer reports whether an object has keys that only containers
// have.
func looksLikeContainer(o *hclsyntax.ObjectConsExpr) bool {
	for _, key := range []string{"essential", "portMappings", "port_mappings", "logConfiguration", "log_configuration", "entryPoint",
		"mountPoints", "mount_points", "imagePullPolicy", "image_pull_policy", "volumeMounts", "volume_mounts", "container_port", "containerPort",
		"container_name", "readonly_root_filesystem"} {
		if hclMember(o, key) != nil {
			return true
		}
	}
	return false
}

// texts reads the strings within an expression that are scripts, manifests or
// lists of containers.
func (b terraformBlock) texts(e hclsyntax.Expression, scope *hclScope, pointer, key string) {
	seen := 0
	var walk func(e hclsyntax.Expression, depth int)
	walk = func(e hclsyntax.Expression, depth int) {
		if depth > maxHCL || seen > maxHCLExpressions {
			return
		}
		seen++
		switch e := hclUnwrapped(e).(type) {
		case *hclsyntax.TemplateExpr, *hclsyntax.LiteralValueExpr:
			b.text(e, scope, pointer, key)
		case *hclsyntax.FunctionCallExpr:
			for _, a := range e.Args {
				walk(a, depth+1)
			}
		case *hclsyntax.TupleConsExpr:
			for _, x := range e.Exprs {
				walk(x, depth+1)
			}
		case *hclsyntax.ObjectConsExpr:
			for _, item := range e.Items {
				walk(item.ValueExpr, depth+1)
			}
		case *hclsyntax.ConditionalExpr:
			walk(e.TrueResult, depth+1)
			walk(e.FalseResult, depth+1)
		case *hclsyntax.ForExpr:
			walk(e.ValExpr, depth+1)
		}
	}
	walk(e, 0)
}

func (b terraformBlock) text(e hclsyntax.Expression, scope *hclScope, pointer, key string) {
	raw := b.bytes(e.Range())
	if len(raw) < 16 || !containsAny(raw, terraformWords) {
		return
	}
	if b.embedded(e, scope, pointer) {
		return
	}
	t := b.decoded(e)
	if t == nil {
		return
	}
	vars := b.templating(scope)
	switch {
	case key == "container_definitions" || key == "container_properties":
		b.pass.nested(t, pointer, func(q *Pass) { q.vars = vars; parseECS(q) })
	case bytes.Contains(t.Data, []byte("containers:")) && bytes.Contains(t.Data, []byte("spec:")):
		// What Google's container-optimised machines read
		// (https://cloud.google.com/compute/docs/containers).
		b.pass.nested(t, pointer, func(q *Pass) {
			q.vars = vars
			for _, d := range q.documents() {
				k := &kubernetes{pass: q, doc: d, walked: map[walkKey]bool{}}
				k.walk(d.root, "", "", 0)
			}
		})
	}
}

// provisioner reads the commands of a provisioner
// (https://developer.hashicorp.com/terraform/language/resources/provisioners/syntax).
func (b terraformBlock) provisioner(kind string, body *hclsyntax.Body) {
	b.pointer += "." + kind
	for _, name := range []string{"command", "inline"} {
		if e := hclAttribute(body, name); e != nil {
			b.script(e, b.scope, b.pointer+"."+name)
		}
	}
	if e := hclAttribute(body, "content"); e != nil {
		b.embedded(e, b.scope, b.pointer+".content")
	}
}

// module reads the inputs of a module that can only be images.
func (b terraformBlock) module(body *hclsyntax.Body) {
	source, _ := hclConstant(hclAttribute(body, "source"))
	containers := containerModule(source) || containerModule(b.pointer)
	for _, a := range hclAttributes(body) {
		switch a.Name {
		case "source", "version", "providers", "count", "for_each", "depends_on":
			continue
		case "container_image", "docker_image", "image_uri", "image":
			if containers && hclIsName(a.Expr) || b.plausible(a.Expr, a.Name != "image") {
				b.report(a.Expr, image.Pull, a.Name)
				continue
			}
		}
		b.nested(a)
	}
}

// containerModule reports whether the source or name of a module is that of
// one that runs containers.
func containerModule(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	return containsAny([]byte(name), []string{"container", "docker", "ecs", "fargate", "cloud-run", "kubernetes", "deployment"})
}

// hclIsName reports whether an expression is a name with its attributes alone.
func hclIsName(e hclsyntax.Expression) bool {
	_, ok := hclUnwrapped(e).(*hclsyntax.ScopeTraversalExpr)
	return ok
}

// plausible reports whether the value of a module's input looks like an image
// of a container: it has a tag or digest, or a registry.
func (b terraformBlock) plausible(e hclsyntax.Expression, named bool) bool {
	switch hclUnwrapped(e).(type) {
	case *hclsyntax.ObjectConsExpr, *hclsyntax.TupleConsExpr:
		return false
	}
	*b.budget = maxHCLExpressions
	for _, x := range b.exprs(e, b.scope, 0) {
		text := x.text()
		if len(x.missing()) > 0 {
			if strings.Contains(text, ":") || strings.Contains(text, "/") {
				return true // "${…}:tag"
			}
			continue
		}
		ref, err := image.Parse(text)
		if err == nil && (ref.Digest != "" || ref.Registry != "" || ref.Tag != "" || named && text != "") {
			return true
		}
	}
	return false
}

// strings reads the scripts and manifests in the attributes of a block, and the
// lists of containers.
func (b terraformBlock) strings(body *hclsyntax.Body) {
	for _, a := range hclAttributes(body) {
		if a.Name == "type" {
			continue // "object({ image = string })" has types, not values
		}
		b.objects(a.Expr, b.scope, b.pointer+"."+a.Name, a.Name, func(o *hclsyntax.ObjectConsExpr, scope *hclScope, pointer, key string) bool {
			if hclMember(o, "image") != nil && (looksLikeContainer(o) || containerBlock(key)) {
				b.object(o, scope, pointer, key, false)
			}
			return true
		})
		b.texts(a.Expr, b.scope, b.pointer+"."+a.Name, a.Name)
	}
}
