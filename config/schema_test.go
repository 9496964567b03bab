package config

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// validator is the schema for files with these formats.
func validator(t *testing.T) *jsonschema.Schema {
	t.Helper()
	data, err := Schema(formats)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// validate is what the schema says of a text in YAML, read as editors read it:
// days are texts.
func validate(schema *jsonschema.Schema, text string) error {
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return err
	}
	data, err := json.Marshal(plain(v))
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		return err
	}
	return schema.Validate(doc)
}

func plain(v any) any {
	switch v := v.(type) {
	case time.Time:
		if v.Equal(v.Truncate(24 * time.Hour)) {
			return v.Format(time.DateOnly)
		}
		return v.Format(time.RFC3339)
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = plain(v[key])
		}
	}
	return v
}

// shown is the template with all that it shows set.
func shown() string {
	lines := strings.Split(Template, "\n")
	for i, line := range lines {
		if !regexp.MustCompile(`^# \S`).MatchString(line) {
			lines[i] = strings.TrimPrefix(line, "#")
		}
	}
	return strings.Join(lines, "\n")
}

// TestTemplate: the template sets nothing, and shows everything.
func TestTemplate(t *testing.T) {
	c, err := Parse(Name, []byte(Template), formats)
	if err != nil || len(c.Set) > 0 {
		t.Errorf("%+v, %v", c, err)
	}
	if !strings.Contains(Template, "$schema="+SchemaURL+"\n") {
		t.Error("it does not name the schema")
	}
	if _, err = Parse(Name, []byte(shown()), formats); err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		if !strings.Contains(Template, "\n#"+s.Key+":") {
			t.Errorf("it does not show %s", s.Key)
		}
	}
}

// TestSchema: the schema accepts what can be read, and refuses mistakes.
func TestSchema(t *testing.T) {
	schema := validator(t)
	for _, text := range []string{
		"", Template, shown(),
		"rules: {malicious-digest: error, tag-drift: off, unpinned-image: {severity: info}}",
		"registries: {'[::1]:5000': {}, localhost: {insecure: true}}\nonline: {cache: off, allowed: []}",
		"registries: {index.docker.io: {mirrors: ['Mirror.example:5000/hub', '10.0.0.1:5000'], concurrency: 4, rate: 0.5}}",
		"online: {allowed: [Docker.io, '*.Pkg.dev', '*.local:5000', 127.0.0.1], timeout: 1h30m, cache: 1d12h}",
		"pin: {min-age: 0s, platforms: [linux/arm/v7]}",
		"exclude: [{path: '*.md', image: '**/app', registry: '*.pkg.dev', owner: acme, rules: [tag-drift], reason: x}]",
		"trusted: ['**', 'docker.io/library/*', 'registry.example:5000/**']",
		"exceptions: [{digest: " + someDigest + ", reason: x, until: '2027-01-31'}]",
	} {
		if _, err := Parse("x", []byte(text), formats); err != nil {
			t.Errorf("%q can't be read: %v", text, err)
		}
		if err := validate(schema, text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, tt := range judgingErrors {
		err := validate(schema, tt.text)
		if (err == nil) != tt.loose {
			t.Errorf("%q: accepted: %v, want %v (%v)", tt.text, err == nil, tt.loose, err)
		}
	}
	refused := 0
	for _, tt := range settingErrors {
		var invalid *jsonschema.ValidationError
		if errors.As(validate(schema, tt.text), &invalid) {
			refused++
		}
	}
	if refused < len(settingErrors)*2/3 {
		t.Errorf("%d of %d mistakes are refused", refused, len(settingErrors))
	}
}

// TestDocumented: the schema accepts the configurations that the documentation
// shows.
func TestDocumented(t *testing.T) {
	schema := validator(t)
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, page := range append(pages, "../README.md") {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split(string(data), "```yaml\n")[1:] {
			text, _, _ := strings.Cut(block, "```")
			if !isConfiguration(text) {
				continue
			}
			shown++
			if err := validate(schema, text); err != nil {
				t.Errorf("%s: %v in\n%s", page, err, text)
			}
			if err := validate(schema, text+"\nno-such-setting: 1\n"); err == nil {
				t.Errorf("%s: an unknown setting is accepted in:\n%s", page, text)
			}
		}
	}
	if shown < 2 {
		t.Errorf("the pages show %d configurations", shown)
	}
}

// isConfiguration reports whether an example says that it is one, or starts with
// a setting.
func isConfiguration(text string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(text, "# "+Name+"\n"), ":")
	return slices.ContainsFunc(settings, func(s setting[Config]) bool { return s.Key == first })
}
