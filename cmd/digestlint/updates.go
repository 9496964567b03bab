package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/advisories"
	"github.com/digestlint/digestlint/cache"
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

func storedName() (string, error) {
	dir, err := cacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "advisories.json"), nil
}

// fetched is what was fetched last, verified.
type fetched struct {
	stored
	key    advisories.Key
	bundle *advisories.Bundle
}

// loadFetched reads and verifies what was fetched last; nil where there is
// nothing.
func loadFetched() (*fetched, error) {
	name, err := storedName()
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // without a folder for it there is none
	}
	data, err := cache.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // there need not be one
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	u, err := parseFetched(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return u, nil
}

func parseFetched(data []byte) (*fetched, error) {
	u := &fetched{}
	if err := json.Unmarshal(data, &u.stored); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	var err error
	if u.key, err = advisories.NewKey(u.Key); err != nil {
		return nil, err
	}
	if _, err := advisories.Verify([]advisories.Key{u.key}, u.Bundle, u.Signature); err != nil {
		return nil, err
	}
	u.bundle, err = advisories.ParseBundle(u.Source, u.Bundle)
	return u, err
}

// useUpdates makes the program answer from what was fetched last, too. What
// can't be verified is told and left out.
func (a *app) useUpdates() {
	if a.noUpdates {
		return
	}
	u, err := loadFetched()
	if err == nil && u != nil {
		err = u.expected(os.Getenv(keyVariable))
	}
	switch {
	case err != nil:
		fmt.Fprintf(a.stderr, "digestlint: updated advisories left out: %s\n", report.Visible(err.Error()))
		fmt.Fprintln(a.stderr, "hint: run `digestlint advisories update` again")
	case u != nil:
		a.fetched = u
		advisories.Use(advisories.Embedded().With(u.bundle.Advisories...))
	}
}

// expected is an error unless u is signed with a key of the file, which may be
// none. A pipeline that takes its cache from elsewhere names the key, since
// whoever may write the cache could put a bundle of their own there, with their
// key beside it.
func (u *fetched) expected(keyFile string) error {
	if keyFile == "" {
		return nil
	}
	keys, err := readKeys(keyFile)
	if err != nil {
		return fmt.Errorf("%s: %w", keyVariable, err)
	}
	if !slices.Contains(keys, u.key) {
		return fmt.Errorf("they are signed with %s, which is not in %s", u.key, keyFile)
	}
	return nil
}

// origin is the name of the bundle that adv was fetched in, empty for one of
// the program's own.
func (a *app) origin(adv *advisories.Advisory) string {
	if a.fetched == nil || !slices.Contains(a.fetched.bundle.Advisories, adv) {
		return ""
	}
	return a.fetched.bundle.Name
}

func (a *app) updateAdvisories() *cobra.Command {
	var source, key string
	var in input
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
  digestlint advisories update --source oci://registry.example/advisories:1 --key advisories.pub
  digestlint advisories update`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings := &config.Config{}
			if in.config != "" { // one that is found belongs to a repository
				var err error
				if settings, err = in.settings(); err != nil {
					return err
				}
			}
			session, err := network.open(settings, nil)
			if err != nil {
				return err
			}
			defer session.close(a)
			ctx, cancel := context.WithTimeout(cmd.Context(), session.timeout)
			defer cancel()
			return a.fetchUpdate(ctx, session.client, source, key)
		},
	}
	network.flags(cmd)
	cmd.Flags().StringVar(&source, "source", "", "the bundle's `ADDRESS`: https://… or oci://REGISTRY/NAME:TAG")
	cmd.Flags().StringVar(&key, "key", "", "the public key, Ed25519 in PEM (`file`)")
	cmd.Flags().StringVar(&in.config, "config", "", "read from this `file` how to reach registries")
	return cmd
}

// fetchUpdate fetches, verifies and stores a bundle. What was stored before
// gives the source and the key where they are empty.
func (a *app) fetchUpdate(ctx context.Context, client *registry.Client, source, keyFile string) error {
	old, err := loadFetched()
	if err != nil {
		// It is replaced; that it could be believed is not known, so neither
		// can what it pins.
		a.complain(err)
	}
	if source == "" && old != nil {
		source = old.Source
	}
	if err := checkSource(source); err != nil {
		return err
	}
	keys, err := updateKeys(keyFile, old)
	if err != nil {
		return err
	}
	u, err := fetchVerified(ctx, client, source, keys)
	if err != nil {
		return &exitError{exitIncomplete, err}
	}
	changed, err := u.save()
	if err != nil {
		return &exitError{exitIncomplete, err}
	}
	u.summarise(a.stdout, a.stderr, old, changed)
	return nil
}

// summarise tells what u has changed, old having been there before.
func (u *fetched) summarise(stdout, stderr io.Writer, old *fetched, changed bool) {
	name := report.Visible(u.bundle.Name) + " of " + u.bundle.Made.Format(time.RFC3339)
	if !changed {
		fmt.Fprintf(stdout, "%s is here already\n", name)
		return
	}
	fmt.Fprintf(stdout, "%s: %d advisories, signed with %s\n", name, len(u.bundle.Advisories), u.key)
	before := advisories.Embedded()
	if old != nil {
		before = before.With(old.bundle.Advisories...)
	}
	after := advisories.Embedded().With(u.bundle.Advisories...)
	tell := func(format string, args ...any) {
		fmt.Fprintf(stderr, "digestlint: %s\n", report.Visible(fmt.Sprintf(format, args...)))
	}
	for _, adv := range u.bundle.Advisories {
		if !slices.Contains(after.All(), adv) {
			tell("%s: the program knows a later version, which counts", adv.ID)
		}
	}
	for _, adv := range before.All() {
		for _, d := range adv.Digests {
			if _, ok := after.LookupDigest(d.Digest); !ok {
				tell("%s: %s is not listed any longer", adv.ID, d.Digest)
			}
		}
	}
	for _, c := range after.Contradictions() {
		tell("%s", c)
	}
}

// checkSource refuses what is no address of a bundle.
func checkSource(source string) error {
	name, artifact := strings.CutPrefix(source, "oci://")
	switch {
	case source == "":
		return errors.New("where from? name the bundle with --source, and the public key with --key")
	case artifact:
		if _, err := image.Parse(name); err != nil {
			return fmt.Errorf("--source: %w", err)
		}
	case !strings.HasPrefix(source, "https://") && !strings.HasPrefix(source, "http://"):
		return errors.New("--source has to start with https:// or oci://")
	}
	return nil
}

// updateKeys are the keys of the file, or the one that an earlier update has
// pinned.
func updateKeys(file string, old *fetched) ([]advisories.Key, error) {
	if file == "" && old == nil {
		return nil, errors.New("name the public key that the bundle is signed with: --key FILE")
	}
	if file == "" {
		return []advisories.Key{old.key}, nil
	}
	keys, err := readKeys(file)
	if err != nil {
		return nil, fmt.Errorf("--key: %w", err)
	}
	return keys, nil
}

// maxKeys bounds the file of the public keys, in bytes.
const maxKeys = 1 << 16

func readKeys(file string) ([]advisories.Key, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeys))
	if err != nil {
		return nil, err
	}
	keys, err := advisories.ParseKeys(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return keys, nil
}

// fetchVerified fetches a bundle that one of the keys has signed.
func fetchVerified(ctx context.Context, client *registry.Client, source string, keys []advisories.Key) (*fetched, error) {
	u := &fetched{stored: stored{Source: source}}
	var err error
	if u.Bundle, u.Signature, err = fetchBundle(ctx, client, source); err != nil {
		return nil, err
	}
	if u.key, err = advisories.Verify(keys, u.Bundle, u.Signature); err != nil {
		return nil, fmt.Errorf("%s: %w; nothing was taken over", source, err)
	}
	u.Key = u.key.Bytes()
	if u.bundle, err = advisories.ParseBundle(source, u.Bundle); err != nil {
		return nil, fmt.Errorf("%w; nothing was taken over", err)
	}
	return u, nil
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

// errKept is what is there already.
var errKept = errors.New("kept")

// save puts u in the place of what was stored, unless that is later: whoever can
// answer for the source could otherwise make everybody forget. It reports
// whether anything has changed.
func (u *fetched) save() (changed bool, err error) {
	name, err := storedName()
	if err != nil {
		return false, err
	}
	data, err := json.Marshal(u.stored)
	if err != nil {
		return false, err
	}
	err = cache.UpdateFile(name, func(old []byte, err error) ([]byte, error) {
		// What can't be read, or believed, has nothing to say.
		before, parseErr := parseFetched(old)
		if err != nil || parseErr != nil {
			return data, nil //nolint:nilerr // it is replaced
		}
		switch {
		case u.bundle.Made.Before(before.bundle.Made):
			return nil, &rollbackError{u.Source, name, u.bundle.Made, before.bundle.Made}
		case bytes.Equal(old, data):
			return nil, errKept
		}
		return data, nil
	})
	switch {
	case errors.Is(err, errKept):
		return false, nil
	case errors.As(err, new(*rollbackError)):
		return false, err
	case err != nil:
		return false, fmt.Errorf("keep the advisories: %w", err)
	}
	return true, nil
}

// rollbackError is a bundle that is older than the one that is there.
type rollbackError struct {
	source, file string
	made, before time.Time
}

func (e *rollbackError) Error() string {
	return fmt.Sprintf("%s: the bundle of %s is older than the one of %s that is here; nothing was taken over",
		e.source, e.made.Format(time.RFC3339), e.before.Format(time.RFC3339))
}

// Hint says what to do where another source is meant.
func (e *rollbackError) Hint() string {
	return "if it is meant to take the place of the other one, remove " + e.file + " first"
}
