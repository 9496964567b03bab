// Package config reads .digestlint.yaml, the settings of a repository.
//
// The file is read strictly: an unknown key, a format that does not exist or a
// value that can't be one is an error with line and column, never a setting that
// silently does nothing. The table in settings.go says what there is.
//
// A configuration that is found, not named, belongs to whoever wrote the
// repository, a pull request perhaps: it and what it names are not followed out
// of the repository, and no error quotes a file that it names.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/digestlint/digestlint/rules"
)

// Name is what the file is called.
const Name = ".digestlint.yaml"

// Config is the settings of one file. The zero value of each is that of a file
// without it.
type Config struct {
	// Path is the file, absolute; empty where there is none.
	Path string
	// Rules are the severities of rules, where they are not the default.
	Rules map[*rules.Rule]rules.Severity
	// Exclude are the findings that are left out.
	Exclude []Exclusion
	// Trusted are the names that images may have; nil: not set.
	Trusted []Names
	// Exceptions are the malicious digests that are known to be harmless where
	// they stand, each once.
	Exceptions []Exception
	// Formats assign formats to files, the last match winning.
	Formats []Format
	// Registries say how to reach single registries and mirrors, by canonical
	// host: "docker.io", "registry.example:5000".
	Registries map[string]Registry
	// Online is what holds for all lookups.
	Online Online
	// Pin is what pin is to write.
	Pin Pin
	// Approved lists the digests that may be used.
	Approved File
	// Baseline lists the findings that are not reported.
	Baseline File
	// Set is all that the file says, in its order.
	Set []Set
}

// Registry says how to reach one registry or mirror.
type Registry struct {
	Mirrors     []string // host[:port][/path], asked in this order before the registry
	Insecure    bool     // may be spoken to over plain HTTP
	CA          File     // of PEM certificates; trusted in place of the system's
	Concurrency int      // requests under way at a time; zero: not set
	Rate        float64  // requests a second; zero: not set
}

// Online is what holds for all lookups of a run.
type Online struct {
	// Allowed are the hosts that may be asked, each as "docker.io",
	// "registry.example:5000" or "*.pkg.dev". Nil: not set; empty: none.
	Allowed []string
	// Timeout is for all lookups together; zero: not set.
	Timeout time.Duration
	// Cache is how long the digest of a tag is taken from the cache; zero:
	// not set.
	Cache time.Duration
	// NoCache is set where there is to be no cache.
	NoCache bool
}

// Pin is what pin is to write.
type Pin struct {
	// MinAge is how long ago a tag has to have been pushed; zero: any time.
	MinAge time.Duration
	// Platforms are those that are run, as os/arch[/variant].
	Platforms []string
}

// Format is a [Glob], relative to the folder of the file, and the format of the
// files that it matches.
type Format struct {
	Glob string // as written
	Name string // of the format; "none" for files that are none of them
	At   Place

	glob Glob
}

// Place is where something stands in the file, from one; the column counts
// characters.
type Place struct{ Line, Column int }

func place(n *yaml.Node) Place { return Place{n.Line, n.Column} }

// None is the name that takes files out of all formats.
const None = "none"

// Error is a mistake in a configuration file.
type Error struct {
	Path         string
	Line, Column int // from one; the column counts characters
	Message      string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.Path, e.Line, e.Column, e.Message)
}

// Find looks for the file in dir and the folders above it, up to the root of the
// repository that dir is in. Without a repository only dir is looked in. There
// need not be one.
func Find(dir string) (name string, err error) { return find(dir, Name) }

// FindFile looks for another file as [Find] does for the configuration. The
// file may not be its user's either, and must not lead out of the repository.
// Its Path is empty where there is none.
func FindFile(dir, name string) (File, error) {
	found, err := find(dir, name)
	if err != nil || found == "" {
		return File{}, err
	}
	return File{Path: found, root: rootOf(found)}, nil
}

func find(dir, base string) (name string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	root, ok := repository(dir)
	if !ok {
		root = dir
	}
	for {
		name := filepath.Join(dir, base)
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			return name, nil
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("find %s: %w", base, err)
		}
		if dir == root {
			return "", nil
		}
		dir = filepath.Dir(dir)
	}
}

// repository is the nearest folder at or above dir that has a ".git".
func repository(dir string) (string, bool) {
	for {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir, true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", false
		}
		dir = up
	}
}

// maxSize is the size in bytes of the largest configuration that is read.
const maxSize = 1 << 20

// Read reads the file name, which the user has named: what it names in turn may
// lie anywhere. Formats are the names that a format may have.
func Read(name string, formats []string) (*Config, error) {
	return load(name, "", formats)
}

// Nearest reads the file that [Find] finds, or none. It comes with the
// repository, and may not be its user's: it and the files that it names have to
// lie in the repository, or without one in dir.
func Nearest(dir string, formats []string) (*Config, error) {
	name, err := Find(dir)
	if err != nil || name == "" {
		return &Config{}, err
	}
	return load(name, rootOf(name), formats)
}

// rootOf is the folder that a file which was found may not lead out of: its
// repository, or without one its own folder.
func rootOf(name string) string {
	if root, ok := repository(filepath.Dir(name)); ok {
		return root
	}
	return filepath.Dir(name)
}

func load(name, root string, formats []string) (*Config, error) {
	data, err := readFile(name, root, maxSize)
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", name, err)
	}
	c, err := parse(&parser{name: name, root: root, data: data, formats: formats})
	if err != nil {
		return nil, err
	}
	c.Path, err = filepath.Abs(name)
	return c, err
}

// Parse reads data, the file name that the user has named. It opens nothing.
func Parse(name string, data []byte, formats []string) (*Config, error) {
	return parse(&parser{name: name, data: data, formats: formats})
}

func parse(p *parser) (*Config, error) {
	c := &Config{}
	n, err := p.document()
	if err != nil {
		return nil, err
	}
	if n == nil {
		return c, nil
	}
	if err := read(p, n, "the file", settings, c); err != nil {
		return nil, err
	}
	c.Set = flatten("", n)
	return c, nil
}

func (p *parser) format(key, value *yaml.Node) (Format, error) {
	f := Format{Glob: key.Value, Name: value.Value, At: place(key)}
	var err error
	if f.glob, err = parseHere(key.Value); err != nil {
		return f, p.errorf(key, "%v", err)
	}
	if value.Kind == yaml.ScalarNode && f.Name == None {
		return f, nil
	}
	for _, known := range p.formats {
		if value.Kind == yaml.ScalarNode && f.Name == known {
			return f, nil
		}
	}
	return f, p.errorf(value, "%q is no format; the formats are %s and %s", f.Name, strings.Join(p.formats, ", "), None)
}

// Format is the name of the format that is assigned to the file path, relative
// to the working directory or absolute; empty where none is.
func (c *Config) Format(path string) string {
	if len(c.Formats) == 0 {
		return ""
	}
	rel, ok := c.relative(path)
	if !ok {
		return ""
	}
	name := ""
	for _, f := range c.Formats {
		if f.glob.Match(rel) {
			name = f.Name
		}
	}
	return name
}

// relative is a path, relative to the working directory or absolute, from the
// folder of the file.
func (c *Config) relative(path string) (string, bool) {
	abs, err := filepath.Abs(filepath.FromSlash(path))
	if err != nil {
		return "", false
	}
	rel, err := filepath.Rel(filepath.Dir(c.Path), abs)
	return filepath.ToSlash(rel), err == nil
}
