package main

import (
	"context"
	"fmt"
	"os"

	"github.com/digestlint/digestlint/digests"
	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/lint"
	"github.com/digestlint/digestlint/resolve"
)

// readDigests reads a digests file of either form.
func readDigests(name string) (*digests.List, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read digests: %w", err)
	}
	return digests.Parse(name, data)
}

// fromFile resolves from a digests file, without the network. A pin that the
// file does not list stays as it is.
func fromFile(name string) (func(context.Context, image.Reference) (lint.Resolution, error), error) {
	list, err := readDigests(name)
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, ref image.Reference) (lint.Resolution, error) {
		digest, ok := list.Lookup(ref)
		switch {
		case !ok && ref.Digest != "":
			return lint.Resolution{Digest: ref.Digest}, nil
		case !ok:
			return lint.Resolution{}, fmt.Errorf("%s does not list it", name)
		}
		if err := resolve.Refuse(digest, name+" gives it"); err != nil {
			return lint.Resolution{}, err
		}
		return lint.Resolution{Digest: digest}, nil
	}, nil
}
