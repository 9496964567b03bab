// Package config reads .digestlint.yaml, the settings of a repository.
//
// The file is read strictly: an unknown key, a format that does not exist or a
// glob that can't be one is an error with line and column, never a setting that
// silently does nothing.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Name is what the file is called.
const Name = ".digestlint.yaml"

// Config is the settings of one file.
type Config struct {
	// Path is the file, absolute; empty where there is none.
	Path string
	// Formats assign formats to files, the last match winning.
	Formats []Format
}

// Format is a glob and the format of the files that it matches. "*" matches
// within a folder, "**" any number of folders
// (https://pkg.go.dev/github.com/bmatcuk/doublestar/v4#Match).
type Format struct {
	Glob string // relative to the folder of the file
	Name string // of the format; "none" for files that are none of them
}

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
func Find(dir string) (name string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	root, ok := repository(dir)
	if !ok {
		root = dir
	}
	for {
		name := filepath.Join(dir, Name)
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			return name, nil
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("find %s: %w", Name, err)
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

// Read reads the file name. Formats are the names that a format may have.
func Read(name string, formats []string) (*Config, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	c, err := Parse(name, data, formats)
	if err != nil {
		return nil, err
	}
	c.Path, err = filepath.Abs(name)
	return c, err
}

// Parse reads data, which name is the name of for errors.
func Parse(name string, data []byte, formats []string) (*Config, error) {
	p := parser{name: name, formats: formats}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, p.syntax(err)
	}
	c := &Config{}
	if len(doc.Content) == 0 {
		return c, nil
	}
	err := p.mapping(doc.Content[0], "the file", func(key, value *yaml.Node) error {
		if key.Value != "formats" {
			return p.errorf(key, "%q is no setting; the settings are: formats", key.Value)
		}
		return p.mapping(value, "formats", func(key, value *yaml.Node) error {
			f, err := p.format(key, value)
			c.Formats = append(c.Formats, f)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

type parser struct {
	name    string
	formats []string
}

func (p parser) errorf(n *yaml.Node, format string, args ...any) error {
	return &Error{Path: p.name, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...)}
}

// syntax is an error of the YAML library with its line as a field.
func (p parser) syntax(err error) error {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if rest, ok := strings.CutPrefix(message, "line "); ok {
		if n, m, ok := strings.Cut(rest, ": "); ok {
			if k, err := strconv.Atoi(n); err == nil {
				line, message = k, m
			}
		}
	}
	return &Error{Path: p.name, Line: line, Column: 1, Message: message}
}

// mapping calls each for the keys of a mapping, which may stand once.
func (p parser) mapping(n *yaml.Node, what string, each func(key, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return p.errorf(n, "%s has to be a mapping", what)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return p.errorf(key, "a key of %s has to be a text", what)
		}
		if seen[key.Value] {
			return p.errorf(key, "%q stands twice in %s", key.Value, what)
		}
		seen[key.Value] = true
		if err := each(key, value); err != nil {
			return err
		}
	}
	return nil
}

func (p parser) format(key, value *yaml.Node) (Format, error) {
	f := Format{Glob: key.Value, Name: value.Value}
	if f.Glob == "" || !doublestar.ValidatePattern(f.Glob) {
		return f, p.errorf(key, "%q is no glob", f.Glob)
	}
	if strings.HasPrefix(f.Glob, "/") || strings.HasPrefix(f.Glob, "../") {
		return f, p.errorf(key, "%q has to be relative to the folder of this file, and below it", f.Glob)
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
	abs, err := filepath.Abs(filepath.FromSlash(path))
	if err != nil {
		return ""
	}
	rel, err := filepath.Rel(filepath.Dir(c.Path), abs)
	if err != nil {
		return ""
	}
	rel = filepath.ToSlash(rel)
	name := ""
	for _, f := range c.Formats {
		if ok, err := doublestar.Match(f.Glob, rel); ok && err == nil {
			name = f.Name
		}
	}
	return name
}
