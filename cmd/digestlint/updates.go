package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/config"
	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/registry"
	"github.com/digestlint/digestlint/report"
)

// Where updates come from is the user's to say, and not the configuration's of
// a repository: what is signed with the key is believed in every repository.
const (
	sourceVariable    = "DIGESTLINT_ADVISORIES_SOURCE"
	keyVariable       = "DIGESTLINT_ADVISORIES_KEY"
	noUpdatesVariable = "DIGESTLINT_NO_UPDATES"
)

// stored is the bundle that was fetched last, with all that it takes to verify
// it again.
type stored struct {
	Source    string `json:"source"`
	Key       []byte `json:"key"` // of Ed25519, pinned by the first update
	Signature []byte `json:"signature"`
	Bundle    []byte `json:"bundle"`
}

// verify gives the bundle if it is what the key has signed.
func (s *stored) verify() (*advisories.Bundle, error) {
	key, err := advisories.NewKey(s.Key)
	if err != nil {
		return nil, err
	}
	if _, err := advisories.Verify([]advisories.Key{key}, s.Bundle, s.Signature); err != nil {
		return nil, err
	}
	return advisories.ParseBundle(s.Source, s.Bundle)
}

// maxStored bounds the stored file, in bytes: a bundle, in base64.
const maxStored = 2 * registry.MaxFile

func storedName() (string, error) {
	dir, err := cacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "advisories.json"), nil
}

// loadStored reads what was fetched last; nil where there is nothing.
func loadStored() (*stored, error) {
	name, err := storedName()
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // without a folder for it there is none
	}
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // there need not be one
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxStored {
		return nil, fmt.Errorf("%s is not what an update has written", name)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var s stored
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", name, err)
	}
	return &s, nil
}

// useUpdates makes the program answer from what was fetched last, too. What
// can't be verified is told and left out.
func (a *app) useUpdates() {
	if a.noUpdates || os.Getenv(noUpdatesVariable) != "" {
		return
	}
	s, err := loadStored()
	if err == nil && s != nil {
		var b *advisories.Bundle
		if b, err = s.verify(); err == nil {
			advisories.Use(advisories.Embedded().With(b.Advisories...))
			return
		}
	}
	if err != nil {
		fmt.Fprintf(a.stderr, "digestlint: updated advisories left out: %s\n", report.Visible(err.Error()))
		fmt.Fprintln(a.stderr, "hint: run `digestlint advisories update` again")
	}
}

func (a *app) updateAdvisories() *cobra.Command {
	var source, key string
	var network network
	cmd := &cobra.Command{
		Use:   "update",
		Short: "fetch further advisories, and verify them",
		Long: `update fetches a bundle of advisories and its signature, verifies it with your public
key, and keeps it in the user's cache: check, pin and exposure then know it, beside
what the program brings along. Of two versions of an advisory the later one counts,
so a bundle never takes the program back; one that is older than the last is refused.

The first update pins source and key; later ones need no flags. docs/advisories.md
says how a bundle is made and signed.`,
		Example: `  digestlint advisories update --source https://advisories.example/bundle.txt --key advisories.pub
  digestlint advisories update --source oci://registry.example/security/advisories:latest --key advisories.pub
  digestlint advisories update`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			session, err := network.open(&config.Config{}, nil)
			if err != nil {
				return err
			}
			defer session.close(a)
			ctx, cancel := context.WithTimeout(cmd.Context(), session.timeout)
			defer cancel()
			return a.fetchUpdate(ctx, session.client, cmp.Or(source, os.Getenv(sourceVariable)), cmp.Or(key, os.Getenv(keyVariable)))
		},
	}
	network.flags(cmd)
	cmd.Flags().StringVar(&source, "source", "", "the bundle's `ADDRESS`: https://… (its signature is at ….sig), or oci://REGISTRY/NAME:TAG")
	cmd.Flags().StringVar(&key, "key", "", "the public key, Ed25519 in PEM (`file`)")
	return cmd
}

// fetchUpdate fetches, verifies and stores a bundle. What was stored before
// gives the source and the key where they are empty.
func (a *app) fetchUpdate(ctx context.Context, client *registry.Client, source, keyFile string) error {
	old, err := loadStored()
	if err != nil {
		a.complain(err) // and is replaced
	}
	var known *advisories.Bundle
	if old != nil {
		if known, err = old.verify(); err != nil {
			a.complain(err)
			known = nil
		}
	}
	if source == "" && old != nil {
		source = old.Source
	}
	if source == "" {
		return errors.New("where from? name the bundle with --source, and the public key with --key")
	}
	keys, err := updateKeys(keyFile, old)
	if err != nil {
		return err
	}
	s, bundle, err := fetchVerified(ctx, client, source, keys)
	if err != nil {
		return &exitError{exitIncomplete, err}
	}
	made := bundle.Made.Format(time.RFC3339)
	switch {
	case known != nil && bundle.Made.Before(known.Made):
		return &exitError{exitIncomplete, fmt.Errorf("%s: the bundle of %s is older than the one of %s that is here; nothing was taken over",
			source, made, known.Made.Format(time.RFC3339))}
	case known != nil && bytes.Equal(s.Bundle, old.Bundle) && bytes.Equal(s.Key, old.Key) && s.Source == old.Source:
		fmt.Fprintf(a.stdout, "%s of %s is here already\n", report.Visible(bundle.Name), made)
		return nil
	}
	if err := s.save(); err != nil {
		return &exitError{exitIncomplete, fmt.Errorf("keep the advisories: %w", err)}
	}
	key, err := advisories.NewKey(s.Key)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s of %s: %d advisories, signed with %s\n", report.Visible(bundle.Name), made, len(bundle.Advisories), key)
	for _, c := range advisories.Embedded().With(bundle.Advisories...).Contradictions() {
		fmt.Fprintf(a.stderr, "digestlint: %s\n", report.Visible(c.String()))
	}
	return nil
}

// updateKeys are the keys of the file, or the one that an earlier update has
// pinned.
func updateKeys(file string, old *stored) ([]advisories.Key, error) {
	if file == "" {
		if old == nil {
			return nil, errors.New("name the public key that the bundle is signed with: --key FILE")
		}
		key, err := advisories.NewKey(old.Key)
		return []advisories.Key{key}, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--key: %w", err)
	}
	keys, err := advisories.ParseKeys(data)
	if err != nil {
		return nil, fmt.Errorf("--key: %s: %w", file, err)
	}
	return keys, nil
}

// fetchVerified fetches a bundle that one of the keys has signed.
func fetchVerified(ctx context.Context, client *registry.Client, source string, keys []advisories.Key) (*stored, *advisories.Bundle, error) {
	s := &stored{Source: source}
	var err error
	if s.Bundle, s.Signature, err = fetchBundle(ctx, client, source); err != nil {
		return nil, nil, err
	}
	signer, err := advisories.Verify(keys, s.Bundle, s.Signature)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w; nothing was taken over", source, err)
	}
	s.Key = signer.Bytes()
	bundle, err := advisories.ParseBundle(source, s.Bundle)
	return s, bundle, err
}

// fetchBundle reads a bundle and its signature: two addresses, or the two files
// of an artifact.
func fetchBundle(ctx context.Context, client *registry.Client, source string) (bundle, signature []byte, err error) {
	name, artifact := strings.CutPrefix(source, "oci://")
	if !artifact {
		if bundle, err = client.Fetch(ctx, source); err != nil {
			return nil, nil, err
		}
		signature, err = client.Fetch(ctx, source+".sig")
		return bundle, signature, err
	}
	ref, err := image.Parse(name)
	if err != nil {
		return nil, nil, fmt.Errorf("--source: %w", err)
	}
	files, err := client.Files(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name, ".sig") {
			signature = f.Data
		} else if bundle == nil {
			bundle = f.Data
		}
	}
	if bundle == nil || signature == nil {
		return nil, nil, fmt.Errorf("%s holds no bundle with a file NAME.sig beside it", source)
	}
	return bundle, signature, nil
}

// save replaces what was stored, at once.
func (s *stored) save() error {
	name, err := storedName()
	if err != nil {
		return err
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(name), ".advisories-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Sync()
	}
	if closed := temp.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(temp.Name(), name)
	}
	if err != nil {
		os.Remove(temp.Name())
	}
	return err
}
