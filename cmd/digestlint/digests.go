package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/digestlint/digestlint/config"
	"github.com/digestlint/digestlint/digests"
	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/resolve"
	"github.com/digestlint/digestlint/rewrite"
)

// fromFile resolves from a digests file, without the network. A pin that the
// file does not list stays as it is.
func fromFile(name string) (func(context.Context, image.Reference) (lint.Resolution, error), error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read digests: %w", err)
	}
	list, err := digests.Parse(name, data)
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, ref image.Reference) (lint.Resolution, error) {
		digest, ok := list.Lookup(ref)
		switch {
		case !ok && ref.Digest != "":
			return lint.Resolution{Digest: ref.Digest}, nil
		case !ok:
			return lint.Resolution{}, &notListed{name}
		}
		if err := resolve.Refuse(digest, name+" gives it"); err != nil {
			return lint.Resolution{}, err
		}
		return lint.Resolution{Digest: digest}, nil
	}, nil
}

// notListed is a reference without an entry in the digests file.
type notListed struct{ file string }

func (e *notListed) Error() string   { return e.file + " does not list it" }
func (e *notListed) Summary() string { return "not listed" }
func (e *notListed) Hint() string {
	return "where there is a network, run `digestlint resolve -o " + e.file + "` over the same files"
}

// loadDigests reads the file that resolve is to write into. A file that does
// not exist is an empty list, and has no data.
func loadDigests(name string) (data []byte, list *digests.List, err error) {
	data, err = os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &digests.List{}, nil
	case err != nil:
		return nil, nil, fmt.Errorf("read digests: %w", err)
	}
	list, err = digests.Parse(name, data)
	if err == nil && list.Plain {
		err = fmt.Errorf("write %s: %w; name another file", name, digests.ErrPlain)
	}
	return data, list, err
}

// updateDigests changes what the file lists, in one step. Somebody who changes
// it at the same time is not undone: put is called again, on what they wrote.
func updateDigests(name string, put func(*digests.List) error) error {
	for range 100 {
		if err := tryUpdate(name, put); !errors.Is(err, rewrite.ErrChanged) {
			return err
		}
	}
	return fmt.Errorf("write %s: %w", name, rewrite.ErrChanged)
}

func tryUpdate(name string, put func(*digests.List) error) error {
	old, list, err := loadDigests(name)
	if err != nil {
		return err
	}
	if err := put(list); err != nil {
		return err
	}
	data, err := list.Marshal()
	if err != nil {
		return err
	}
	if err := writeWhole(name, old, data, old != nil); err != nil {
		return fmt.Errorf("write digests: %w", err)
	}
	return nil
}

// writeWhole puts data in the place of old, in one step. Where there is no file
// it makes one; who reads that meanwhile finds it empty.
func writeWhole(name string, old, data []byte, there bool) error {
	if !there {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) {
			return rewrite.ErrChanged
		}
		if err != nil {
			return err
		}
		f.Close()
	}
	err := rewrite.WriteFile(name, old, data)
	if err != nil && !there && !errors.Is(err, rewrite.ErrChanged) {
		os.Remove(name)
	}
	if err == nil {
		rewrite.SyncFolder(filepath.Dir(name))
	}
	return err
}

// maxApproved bounds, in bytes, the file of the setting "approved": some
// ten thousand images.
const maxApproved = 16 << 20

// approved is the rule unapproved-digest's list from the file that the setting
// names, nil where it names none.
func approved(f config.File) (func(digest string) bool, error) {
	if f.Path == "" {
		return nil, nil
	}
	data, err := f.Read(maxApproved)
	if err != nil {
		return nil, err
	}
	list, err := digests.Parse(f.Path, data)
	var e *digests.Error
	if errors.As(err, &e) {
		// The setting may come with a pull request and name any file of the
		// machine that reads it, so its content is not quoted.
		return nil, f.Errorf("line %d, column %d has no place in a digests file; `digestlint resolve -o FILE` says why", e.Line, e.Column)
	}
	if err != nil {
		return nil, err
	}
	all := list.Digests()
	return func(digest string) bool { return all[digest] }, nil
}
