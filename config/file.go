package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// File is a file that a setting names. It is not opened before it is needed: a
// run that asks no registry does without its certificates.
type File struct {
	// Path is absolute, or relative to the working directory; empty where no
	// file is set.
	Path string

	root string // the folder that it has to lie in; empty: any
	at   Error  // where the setting stands
}

// file is the kind of a [File], written relative to the folder of the
// configuration.
var file = kind[File]{"a file", func(p *parser, n *yaml.Node) (File, error) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || n.Value == "" || strings.ContainsRune(n.Value, 0) {
		return File{}, p.errorf(n, "this has to be the name of a file%s", not(n))
	}
	f := File{Path: filepath.FromSlash(n.Value), root: p.root, at: *p.errorf(n, "")}
	if !filepath.IsAbs(f.Path) {
		f.Path = filepath.Join(filepath.Dir(p.name), f.Path)
	}
	return f, nil
}, object{"type": "string", "minLength": 1}}

// Read reads the file, of at most limit bytes. An error is an [*Error] at the
// setting.
func (f File) Read(limit int64) ([]byte, error) {
	data, err := readFile(f.Path, f.root, limit)
	if err != nil {
		return nil, f.Errorf("%v", err)
	}
	return data, nil
}

// Errorf is an [*Error] at the setting, for a file whose content is wrong. Its
// text must not quote that: a configuration that comes with a pull request may
// name any file. Where no setting names the file it is an error of the file.
func (f File) Errorf(format string, args ...any) error {
	e := f.at
	name := f.Path
	if rel, err := filepath.Rel(filepath.Dir(e.Path), name); err == nil && e.Path != "" && filepath.IsLocal(rel) {
		name = filepath.ToSlash(rel)
	}
	e.Message = name + ": " + fmt.Sprintf(format, args...)
	if e.Path == "" {
		return errors.New(e.Message)
	}
	return &e
}

// Exists reports whether there is something at the path. It is an error where a
// file may not be made there: a configuration that comes with a pull request
// must not have one written outside of the repository.
func (f File) Exists() (bool, error) {
	stat := os.Lstat
	name := f.Path
	if f.root != "" {
		r, err := os.OpenRoot(f.root)
		if err != nil {
			return false, f.Errorf("%v", err)
		}
		defer r.Close()
		rel, err := filepath.Rel(f.root, f.Path)
		if err != nil || !filepath.IsLocal(rel) {
			return false, f.Errorf("%v", errOutside)
		}
		name, stat = rel, r.Lstat
	}
	_, err := stat(name)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	return false, f.Errorf("%v", err)
}

// readFile reads a regular file of at most limit bytes. With a root, it has to
// lie below that, and no symbolic link leads out. The error does not repeat the
// name.
func readFile(name, root string, limit int64) ([]byte, error) {
	data, err := readRegular(name, root, limit)
	var path *fs.PathError
	if errors.As(err, &path) {
		return nil, path.Err
	}
	return data, err
}

func readRegular(name, root string, limit int64) ([]byte, error) {
	stat, open := os.Stat, os.Open
	if root != "" {
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return nil, err
		}
		r, err := os.OpenRoot(root)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		if !filepath.IsLocal(rel) {
			return nil, errOutside
		}
		name, stat, open = rel, r.Stat, r.Open
	}
	// Asked before it is opened: a pipe would keep the program waiting.
	info, err := stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("more than %d bytes", limit)
	}
	return data, err
}

// errOutside is a file that a configuration which was found must not name.
var errOutside = errors.New("outside the repository; only a configuration given with --config may name it")
