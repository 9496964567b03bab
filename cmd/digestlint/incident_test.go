package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestIncidentPage runs docs/incident.md, in which a cache of Docker Hub serves
// the malicious image.
func TestIncidentPage(t *testing.T) {
	host := newRegistry(t)
	digest := pushIndex(t, host+"/hub/acme/app", "", "malicious")
	name := filepath.Join(docs, "incident.md")
	if !strings.Contains(fenced(t, readFile(t, name), "advisory"), digest) {
		t.Fatalf("the advisory of %s does not list %s, which the registry has", name, digest)
	}
	executed{dir: t.TempDir(), env: []string{"CACHE=" + host}, hide: []string{host, "cache.example"}}.run(t, name)
}
