package parsers

import (
	"bytes"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// CloudFormation reads the templates of AWS CloudFormation and SAM
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/),
// in YAML and in JSON.
var CloudFormation = register(Format{
	Name:    "cloudformation",
	Title:   "CloudFormation",
	Files:   "YAML, JSON and `.template` files with `AWSTemplateFormatVersion`, or `Resources` of AWS types.",
	Places:  "The images of ECS tasks, Batch jobs, Lambda functions, App Runner and CodeBuild projects, and the shell of `UserData`, of what cfn-init and Systems Manager run, and of build specifications; parameters and conditions are followed.",
	Comment: "#",
	Detect:  detectCloudFormation,
	Parse:   parseCloudFormation,
})

func detectCloudFormation(c *Candidate) Certainty {
	ext := c.ext
	if !c.isYAMLOrJSON() && ext != ".template" && ext != ".cfn" && !strings.HasSuffix(c.Path, ".template") {
		return No
	}
	if !bytes.Contains(c.Data, []byte("Resources")) {
		return No
	}
	if bytes.Contains(c.Data, []byte("AWSTemplateFormatVersion")) || bytes.Contains(c.Data, []byte("AWS::Serverless-")) {
		return Likely
	}
	if bytes.Contains(c.Data, []byte("AWS::")) && (slices.Contains(c.keys(), "Resources") || jsonHasKey(c.Data, "Resources")) {
		return Content
	}
	return No
}

func parseCloudFormation(p *Pass) {
	if !containsAny(p.Text.Data, append([]string{"Image", "Container"}, shellWords...)) {
		return
	}
	json := bytes.HasPrefix(bytes.TrimLeft(p.Text.Data, spaces+"\xef\xbb\xbf"), []byte("{"))
	if json {
		q := *p
		q.Text = plainJSON(p.Text)
		p = &q
	}
	for _, d := range p.documents() {
		c := cloudformation{pass: p, doc: d, root: d.root}
		for name, resource := range pairs(get(d.root, "Resources")) {
			c.resource(name.Value, resource)
		}
		if n := at(d.root, "Globals", "Function", "ImageUri"); n != nil {
			c.image(n, image.Pull, "Globals.Function.ImageUri")
		}
	}
}

// cloudformation is one template being read.
type cloudformation struct {
	pass *Pass
	doc  *document
	root *node
}

// cloudFormationImages are the places of images by resource type; "*" is each
// element of a list.
var cloudFormationImages = map[string][]string{
	"AWS::ECS::TaskDefinition":                {"ContainerDefinitions.*.Image"},
	"AWS::Lambda::Function":                   {"Code.ImageUri"},
	"AWS::Serverless::Function":               {"ImageUri"},
	"AWS::AppRunner::Service":                 {"SourceConfiguration.ImageRepository.ImageIdentifier"},
	"AWS::SageMaker::Model":                   {"PrimaryContainer.Image", "Containers.*.Image"},
	"AWS::SageMaker::ModelPackage":            {"InferenceSpecification.Containers.*.Image"},
	"AWS::CodeBuild::Project":                 {"Environment.Image"},
	"AWS::ImageBuilder::ContainerRecipe":      {"ParentImage"},
	"AWS::EMRServerless::Application":         {"ImageConfiguration.ImageUri"},
	"AWS::BedrockAgentCore::Runtime":          {"AgentRuntimeArtifact.ContainerConfiguration.ContainerUri"},
	"AWS::Lightsail::Container":               {"ContainerServiceDeployment.Containers.*.Image"},
	"AWS::Batch::JobDefinition":               {"ContainerProperties.Image", "NodeProperties.NodeRangeProperties.*.Container.Image", "EcsProperties.TaskProperties.*.Containers.*.Image", "EksProperties.PodProperties.Containers.*.Image", "EksProperties.PodProperties.InitContainers.*.Image"},
	"AWS::GameLift::ContainerGroupDefinition": {"GameServerContainerDefinition.ImageUri", "SupportContainerDefinitions.*.ImageUri", "ContainerDefinitions.*.ImageUri"},
}

func (c cloudformation) resource(name string, resource *node) {
	kind, properties := str(get(resource, "Type")), get(resource, "Properties")
	role := image.Pull
	if metadata := get(resource, "Metadata"); get(metadata, "Dockerfile") != nil || get(metadata, "DockerContext") != nil {
		role = image.Output // "sam build" gives it this name
	}
	for _, place := range cloudFormationImages[kind] {
		c.walk(properties, strings.Split(place, "."), name+".Properties", func(n *node, pointer string) {
			if c.managed(n) {
				return
			}
			c.image(n, role, pointer)
		})
	}
	switch kind {
	case "AWS::CodeBuild::Project":
		c.buildspec(at(properties, "Source", "BuildSpec"), name+".Properties.Source.BuildSpec")
	case "AWS::EC2::Instance", "AWS::AutoScaling::LaunchConfiguration":
		c.userData(get(properties, "UserData"), name+".Properties.UserData")
	case "AWS::EC2::LaunchTemplate":
		c.userData(at(properties, "LaunchTemplateData", "UserData"), name+".Properties.LaunchTemplateData.UserData")
	case "AWS::SSM::Document":
		c.runCommands(at(properties, "Content", "mainSteps"), name+".Properties.Content.mainSteps")
	}
	c.initCommands(at(resource, "Metadata", "AWS::CloudFormation::Init"), name+".Metadata")
}

// managed reports whether a value is an image that no registry has by that
// name.
func (c cloudformation) managed(n *node) bool {
	for _, e := range c.exprs(n, 0) {
		if managedImage(e.text()) {
			return true
		}
	}
	return false
}

// walk gives the nodes at a place below n. Both branches of a condition are
// such nodes.
func (c cloudformation) walk(n *node, place []string, pointer string, give func(n *node, pointer string)) {
	if n == nil {
		return
	}
	if branches := conditional(n); branches != nil {
		for _, b := range branches {
			c.walk(b, place, pointer, give)
		}
		return
	}
	if len(place) == 0 {
		give(n, pointer)
		return
	}
	if place[0] != "*" {
		c.walk(get(n, place[0]), place[1:], pointer+"."+place[0], give)
		return
	}
	for i, item := range items(n) {
		c.walk(item, place[1:], pointer+pointerIndex(i), give)
	}
}

// conditional are the results of "!If [condition, a, b]", nil for anything
// else.
func conditional(n *node) []*node {
	name, args := function(n)
	if name != "If" || !isSequence(args) || len(follow(args).Content) != 3 {
		return nil
	}
	return follow(args).Content[1:]
}

// function is the intrinsic function that a node calls, and its arguments:
// "!Ref x" or {Ref: x}, "!Sub x" or {"Fn::Sub": x}.
func function(n *node) (name string, args *node) {
	n = follow(n)
	if n == nil {
		return "", nil
	}
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		return n.Tag[1:], n
	}
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 {
		key := n.Content[0].Value
		if key == "Ref" {
			return key, n.Content[1]
		}
		if rest, ok := strings.CutPrefix(key, "Fn::"); ok {
			return rest, n.Content[1]
		}
	}
	return "", nil
}

// image reports the value of a property as an image.
func (c cloudformation) image(n *node, role image.Role, pointer string) {
	if branches := conditional(n); branches != nil {
		for _, b := range branches {
			c.image(b, role, pointer)
		}
		return
	}
	f := found{pointer: pointer, role: role}
	name, args := function(n)
	switch {
	case name == "" && isScalar(n):
		c.pass.image(c.doc, n, noVariables, noLookup, f)
		return
	case name == "Ref" && str(args) == "AWS::NoValue":
		return
	}
	f.text = c.written(n)
	f.values = c.exprs(n, 0)
	if f.text != nil {
		c.pass.Use(f)
	}
}

// written is a value as it stands in the file: what a "!Sub" has, and else the
// function with what is on its line.
func (c cloudformation) written(n *node) *source.Text {
	name, args := function(n)
	target := follow(n)
	if name == "Sub" {
		if isSequence(args) && len(follow(args).Content) > 0 {
			args = follow(args).Content[0]
		}
		if t, _ := c.doc.content(args); t != nil {
			return t
		}
	}
	if isScalar(target) || name != "" && target.Kind != yaml.MappingNode && !isScalar(args) {
		start := c.doc.offset(target)
		end := lineEnd(c.doc.text.Data, start)
		if t := c.doc.scalar(target); t != nil && len(t.Data) > 0 {
			span, _ := t.Span(0, len(t.Data))
			first, _ := c.doc.text.Span(start, start+1)
			end = min(end, start+span.End-first.Start)
			if target.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
				end++
			}
		} else if i := bytes.Index(c.doc.text.Data[start:end], []byte(" #")); i >= 0 {
			end = start + i
		}
		return c.doc.text.Slice(start, min(end, len(c.doc.text.Data))).Trim()
	}
	if t, _ := c.doc.content(args); t != nil {
		return t
	}
	// The first text within.
	for _, item := range items(args) {
		if t, _ := c.doc.content(item); t != nil && len(t.Trim().Data) > 1 {
			return t
		}
		for _, inner := range items(item) {
			if t, _ := c.doc.content(inner); t != nil && len(t.Trim().Data) > 1 {
				return t
			}
		}
	}
	start := c.doc.offset(target)
	return c.doc.text.Slice(start, lineEnd(c.doc.text.Data, start)).Trim()
}

// exprs are the texts that a value can have.
func (c cloudformation) exprs(n *node, depth int) []expr {
	name, args := function(n)
	if depth > maxExpansion || n == nil {
		return nil
	}
	target := follow(n)
	start := c.doc.offset(target)
	whole := c.doc.text.Slice(min(start, len(c.doc.text.Data)), lineEnd(c.doc.text.Data, start)).Trim()
	undecided := func(name string) []expr { return []expr{unknown(whole, name)} }
	switch name {
	case "":
		if t, _ := c.doc.content(n); t != nil {
			return []expr{literal(t)}
		}
	case "Ref":
		if t, _ := c.doc.content(args); t != nil {
			return c.reference(t, t.String(), c.look(t.String(), nil))
		}
	case "Sub":
		text, local := args, (*node)(nil)
		if isSequence(args) && len(follow(args).Content) > 0 {
			text = follow(args).Content[0]
			if len(follow(args).Content) > 1 {
				local = follow(args).Content[1]
			}
		}
		if t, _ := c.doc.content(text); t != nil {
			return expand(t, scanSub, func(name string) *binding { return c.look(name, local) })
		}
	case "Join":
		list := follow(args)
		if !isSequence(list) || len(list.Content) != 2 || !isSequence(list.Content[1]) {
			break
		}
		out := []expr{{}}
		for i, item := range items(list.Content[1]) {
			if i > 0 && str(list.Content[0]) != "" {
				out = product(out, []expr{{joiner(whole, str(list.Content[0]))}})
			}
			out = product(out, c.exprs(item, depth+1))
		}
		return out
	case "If":
		var out []expr
		for _, b := range conditional(n) {
			out = append(out, c.exprs(b, depth+1)...)
		}
		return out
	case "FindInMap":
		if out := c.mapped(args, depth); len(out) > 0 {
			return out
		}
	}
	if name == "" {
		name = "value"
	}
	label := name
	if s := str(args); s != "" {
		label += " " + shorten(s)
	}
	return undecided(label)
}

// reference are the texts of a name as read at t.
func (c cloudformation) reference(t *source.Text, name string, b *binding) []expr {
	at, _ := t.Span(0, len(t.Data))
	var out []expr
	if b != nil {
		for _, e := range b.texts() {
			out = append(out, through(link{binding: b, file: t.File, at: at}, e))
		}
	}
	if len(out) == 0 {
		return []expr{unknown(t, name)}
	}
	return out
}

// look is the default of a parameter, or a variable of a "!Sub".
func (c cloudformation) look(name string, local *node) *binding {
	if n := get(local, name); n != nil {
		return &binding{name: name, class: classLocal, file: c.doc.text.File, region: c.doc.span(),
			eval: func() []expr { return c.exprs(n, 1) }}
	}
	for key, v := range pairs(get(c.root, "Parameters")) {
		if key.Value != name {
			continue
		}
		t, _ := c.doc.content(get(v, "Default"))
		if t == nil || strings.HasPrefix(str(get(v, "Type")), "AWS::SSM::") {
			return nil
		}
		b := &binding{name: name, class: classParameter, file: t.File, region: c.doc.span(), eval: func() []expr { return []expr{literal(t)} }}
		if k, _ := c.doc.content(key); k != nil {
			b.def, _ = k.Span(0, len(k.Data))
		}
		return b
	}
	return nil
}

// classMapping is a value of the section Mappings.
var classMapping = &class{noun: "mapping"}

// mapped are the texts that "!FindInMap [map, key, name]" can give.
func (c cloudformation) mapped(args *node, depth int) []expr {
	list := follow(args)
	if !isSequence(list) || len(list.Content) < 3 {
		return nil
	}
	where := str(list.Content[0])
	key, second := list.Content[1], list.Content[2]
	fixed := func(n *node) bool { name, _ := function(n); return name == "" && isScalar(n) }
	var out []expr
	for k, v := range pairs(at(c.root, "Mappings", where)) {
		if fixed(key) && k.Value != str(key) {
			continue
		}
		for k2, v2 := range pairs(v) {
			if fixed(second) && k2.Value != str(second) || len(out) >= maxValues {
				continue
			}
			b := &binding{name: where + "." + k.Value + "." + k2.Value, class: classMapping}
			for _, e := range c.exprs(v2, depth+1) {
				out = append(out, through(link{binding: b, file: c.doc.text.File}, e))
			}
		}
	}
	return out
}

// scanSub finds "${Name}"; "${!Name}" is the text "${Name}"
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-sub.html).
func scanSub(data []byte, i int) (variable, bool) {
	for {
		k := bytes.Index(data[i:], []byte("${"))
		if k < 0 {
			return variable{}, false
		}
		start := i + k
		end := bytes.IndexByte(data[start:min(len(data), start+maxVariable)], '}')
		if end < 0 {
			return variable{}, false
		}
		i = start + 2
		if data[i] == '!' {
			continue
		}
		v := variable{start: start, end: start + end + 1}
		v.nameStart, v.nameEnd = trimSpan(data, start+2, start+end)
		v.name = string(data[v.nameStart:v.nameEnd])
		return v, true
	}
}

// text is a string with the names that a "!Sub" around it fills in.
func (c cloudformation) text(n *node) (*source.Text, templating) {
	vars := templating{}
	var local *node
	for i := 0; i < maxAliases; i++ {
		name, args := function(n)
		switch name {
		case "Sub":
			vars = templating{scan: scanSub, look: func(name string) *binding { return c.look(name, local) }}
			if isSequence(args) && len(follow(args).Content) > 0 {
				if len(follow(args).Content) > 1 {
					local = follow(args).Content[1]
				}
				args = follow(args).Content[0]
			}
			t, _ := c.doc.content(args)
			return t, vars
		case "Base64":
			if follow(n) == follow(args) { // !Base64 with the text itself
				t, _ := c.doc.content(n)
				return t, vars
			}
			n = args
		case "":
			t, _ := c.doc.content(n)
			return t, vars
		case "Join":
			return c.joined(args)
		default:
			return nil, vars
		}
	}
	return nil, vars
}

// The names that "${…}" stands for in what joined makes: a parameter, or what
// another function gives.
const (
	joinedRef      = "Ref::"
	joinedFunction = "Fn::"
)

// joined is the text of "!Join [separator, [element, …]]". A function among the
// elements stands in it as "${Ref::Name}" or "${Fn::Name}", which no shell has
// for a variable.
func (c cloudformation) joined(args *node) (*source.Text, templating) {
	list := follow(args)
	if !isSequence(list) || len(list.Content) != 2 {
		return nil, templating{}
	}
	var texts []*source.Text
	for _, item := range items(list.Content[1]) {
		name, operand := function(item)
		if name == "" {
			operand = item
		}
		t, _ := c.doc.content(operand)
		if t == nil {
			start := c.doc.offset(follow(item))
			t = c.doc.text.Slice(start, start)
		}
		if name != "" {
			texts = append(texts, standIn(t, name))
			continue
		}
		texts = append(texts, t)
	}
	if len(texts) == 0 {
		return nil, templating{}
	}
	return source.Join(str(list.Content[0]), texts...), templating{scan: scanJoined, look: func(name string) *binding { return c.look(name, nil) }}
}

// standIn is what stands for a function, at the place of its operand t.
func standIn(t *source.Text, function string) *source.Text {
	name := joinedFunction + function
	if function == "Ref" {
		name = joinedRef + t.String()
	}
	b := source.NewBuilder(t)
	b.Put("${"+name+"}", 0, len(t.Data))
	return b.Text()
}

// scanJoined finds what standIn puts.
func scanJoined(data []byte, i int) (variable, bool) {
	for {
		v, ok := scanSub(data, i)
		if !ok {
			return v, false
		}
		if name, ok := strings.CutPrefix(v.name, joinedRef); ok {
			v.name = name
			return v, true
		}
		if strings.HasPrefix(v.name, joinedFunction) {
			return v, true
		}
		i = v.nameStart
	}
}

// runCommands reads what a document of Systems Manager runs in a shell
// (https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-command-ssm-plugin-reference.html).
func (c cloudformation) runCommands(steps *node, pointer string) {
	for i, step := range items(steps) {
		if str(get(step, "action")) != "aws:runShellScript" {
			continue
		}
		var lines []*source.Text
		for _, line := range items(at(step, "inputs", "runCommand")) {
			if t, _ := c.doc.content(line); t != nil {
				lines = append(lines, t)
			}
		}
		if len(lines) == 0 {
			continue
		}
		script := source.Join("\n", lines...)
		parameters := templating{scan: scanJinja, look: noLookup} // "{{ Name }}"
		c.pass.nested(script, pointer+pointerIndex(i), func(q *Pass) { q.shell(noLookup, parameters) })
	}
}

// initCommands reads the commands that cfn-init runs
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-init.html).
func (c cloudformation) initCommands(configs *node, pointer string) {
	for name, config := range pairs(configs) {
		for key, command := range pairs(get(config, "commands")) {
			where := pointer + "." + name.Value + ".commands." + key.Value
			if list := get(command, "command"); isSequence(list) {
				c.pass.command(c.doc, list, where)
				continue
			}
			if t, vars := c.text(get(command, "command")); t != nil {
				c.pass.nested(t, where, func(q *Pass) { q.shell(noLookup, vars) })
			}
		}
	}
}

// userData reads the script that a machine starts with.
func (c cloudformation) userData(n *node, pointer string) {
	t, vars := c.text(n)
	if t == nil {
		return
	}
	data := bytes.TrimLeft(t.Data, spaces)
	if bytes.HasPrefix(data, []byte("#!")) && isShellLine(string(data[:lineEnd(data, 0)])) {
		c.pass.nested(t, pointer, func(q *Pass) { q.shell(noLookup, vars) })
	}
}

// buildspec reads the commands of a build specification in a string
// (https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html).
func (c cloudformation) buildspec(n *node, pointer string) {
	t, vars := c.text(n)
	if t == nil || !bytes.Contains(t.Data, []byte("phases")) {
		return
	}
	c.pass.nested(t, pointer, func(q *Pass) {
		for _, d := range q.documents() {
			for _, phase := range pairs(get(d.root, "phases")) {
				var texts []*source.Text
				for _, command := range items(get(phase, "commands")) {
					if t, _ := d.content(command); t != nil {
						texts = append(texts, t)
					}
				}
				if len(texts) > 0 {
					q.shells(texts, noLookup, vars)
				}
			}
		}
	})
}
