package main

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/digestlint/digestlint/cache"
	"github.com/digestlint/digestlint/config"
	"github.com/digestlint/digestlint/registry"
	"github.com/digestlint/digestlint/report"
	"github.com/digestlint/digestlint/resolve"
)

// The variables that stand for the flags of network, and where the cache is.
const (
	timeoutVariable = "DIGESTLINT_TIMEOUT"
	noCacheVariable = "DIGESTLINT_NO_CACHE"
	allowedVariable = "DIGESTLINT_ALLOWED_REGISTRIES"
	cacheVariable   = "DIGESTLINT_CACHE"
)

// Defaults of the section online.
const (
	defaultTimeout  = 15 * time.Minute
	defaultCacheTTL = 15 * time.Minute
)

// allPublic stands for the well-known public registries in --allow-registry.
const allPublic = "public"

// maxCertificates is the size in bytes of the largest file of certificates that
// is read; the bundles of whole systems have a quarter of it.
const maxCertificates = 1 << 20

// network are the flags that say how registries are asked. They stand over the
// configuration.
type network struct {
	cmd     *cobra.Command
	timeout duration
	noCache bool
	allowed []string
	// sparePulls is set where nothing is worth a pull of Docker Hub.
	sparePulls bool
	// fresh is set where every tag is asked for, however recently it was.
	fresh bool
}

func (n *network) flags(cmd *cobra.Command) {
	n.cmd = cmd
	n.timeout = duration(defaultTimeout)
	cmd.Flags().Var(&n.timeout, "timeout", "the time for all lookups of a run together")
	cmd.Flags().BoolVar(&n.noCache, "no-cache", false, "ask for everything, remember nothing for the next run")
	cmd.Flags().StringArrayVar(&n.allowed, "allow-registry", nil, "ask only this `HOST`, *.DOMAIN or public; repeatable")
}

// session is how one run asks registries.
type session struct {
	// source answers; it is the client, behind the cache if there is one.
	source resolve.Source
	client *registry.Client
	// timeout is for all lookups together.
	timeout time.Duration

	store    *cache.Store // nil without a cache
	mu       sync.Mutex
	warnings []error
}

// open makes the session that the flags, the variables and the configuration
// ask for. Public are the hosts that may be asked where none of these says
// which; nil is all. It sends nothing. The session is to be closed.
func (n *network) open(settings *config.Config, public []string) (*session, error) {
	s := &session{}
	opts := registry.Options{SparePulls: n.sparePulls}
	var err error
	if s.timeout, err = n.deadline(settings); err != nil {
		return nil, err
	}
	if opts.Allowed, opts.BindMirrors, err = n.hosts(settings, public); err != nil {
		return nil, err
	}
	var folder string
	if opts.Registries, folder, err = registries(settings); err != nil {
		return nil, err
	}
	s.client = registry.New(opts)
	s.source = s.client
	if n.uncached(settings) {
		return s, nil
	}
	dir, err := cacheDir()
	if err != nil {
		s.warn(fmt.Errorf("no cache: %w", err))
		return s, nil
	}
	s.store = cache.Open(filepath.Join(dir, folder), s.warn)
	ttl := cmp.Or(settings.Online.Cache, defaultCacheTTL)
	if n.fresh {
		ttl = 0
	}
	s.source = resolve.Cached(s.client, s.store, ttl)
	return s, nil
}

// warn keeps a warning for close: it may come while something else is being
// printed.
func (s *session) warn(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warnings = append(s.warnings, err)
}

// close saves the cache, and tells people what is wrong with it. That is no
// failure of the run.
func (s *session) close(a *app) {
	if s.store != nil {
		if err := s.store.Save(); err != nil {
			s.warn(err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, err := range s.warnings {
		fmt.Fprintf(a.stderr, "digestlint: %s\n", report.Visible(err.Error()))
	}
	s.warnings = nil
}

// deadline is the time for all lookups.
func (n *network) deadline(settings *config.Config) (time.Duration, error) {
	value := time.Duration(n.timeout)
	if !n.cmd.Flags().Changed("timeout") {
		value = cmp.Or(settings.Online.Timeout, value)
	}
	if value <= 0 {
		return 0, errors.New("--timeout and " + timeoutVariable + " have to be above zero")
	}
	return value, nil
}

// hosts are those that may be asked; nil is all. They are bound where a flag or
// a variable says which: then the configuration, which a stranger may have
// changed, can't lead to others by its mirrors.
func (n *network) hosts(settings *config.Config, public []string) (hosts []string, bound bool, err error) {
	if len(n.allowed) == 0 {
		if settings.Online.Allowed != nil {
			return settings.Online.Allowed, false, nil
		}
		return public, false, nil
	}
	for _, text := range n.allowed {
		if text == allPublic {
			hosts = append(hosts, publicRegistries...)
			continue
		}
		host, err := config.ParsePattern(text)
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", origin(n.cmd.Flags().Lookup("allow-registry")), err)
		}
		hosts = append(hosts, host)
	}
	return hosts, true, nil
}

// uncached reports whether there is to be no cache.
func (n *network) uncached(settings *config.Config) bool {
	if n.cmd.Flags().Changed("no-cache") {
		return n.noCache
	}
	return settings.Online.NoCache
}

// registries are the settings of single registries as the client takes them,
// and the name of the folder for their answers.
//
// That folder is another one wherever something else than the registry itself
// may have answered: what one repository's mirror says of a tag is nothing that
// all the others have agreed to believe.
func registries(settings *config.Config) (map[string]registry.Registry, string, error) {
	all := make(map[string]registry.Registry)
	var routes []string
	for host, r := range settings.Registries {
		set := registry.Registry{Mirrors: r.Mirrors, Insecure: r.Insecure, Concurrency: r.Concurrency, Rate: r.Rate}
		var pem []byte
		if r.CA.Path != "" {
			var err error
			if pem, err = r.CA.Read(maxCertificates); err != nil {
				return nil, "", err
			}
			set.RootCAs = x509.NewCertPool()
			if !set.RootCAs.AppendCertsFromPEM(pem) {
				return nil, "", r.CA.Errorf("no certificate in it")
			}
		}
		all[host] = set
		if len(r.Mirrors) > 0 || r.Insecure || pem != nil {
			routes = append(routes, fmt.Sprintf("%q %q %t %x", host, r.Mirrors, r.Insecure, sha256.Sum256(pem)))
		}
	}
	if len(routes) == 0 {
		return all, "", nil
	}
	slices.Sort(routes)
	return all, fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(routes, "\n"))))[:16], nil
}

// cacheDir is where the cache is.
func cacheDir() (string, error) {
	if dir := os.Getenv(cacheVariable); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "digestlint"), nil
}

// duration is a flag that takes days, too.
type duration time.Duration

// Set reads the flag.
func (d *duration) Set(s string) error {
	v, err := config.ParseDuration(s)
	if err != nil {
		return err
	}
	*d = duration(v)
	return nil
}

// String is the flag's default in the help text, which leaves "0" out.
func (d *duration) String() string {
	if *d == 0 {
		return "0"
	}
	s := time.Duration(*d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Type is what the help text calls the value.
func (d *duration) Type() string { return "duration" }
