package resolve

import (
	"time"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/registry"
)

// manifestRecord is a [registry.Manifest] on disk.
type manifestRecord struct {
	Digest    string `json:"digest,omitempty"`
	MediaType string `json:"type,omitempty"`
	Index     bool   `json:"index,omitempty"`
	Size      int64  `json:"size,omitempty"`
}

// valid reports whether a client can have answered this. What is on disk is
// checked like what comes from a server.
func (r manifestRecord) valid() bool {
	return image.ValidDigest(r.Digest) && r.MediaType != "" && r.Size >= 0
}

// imageRecord is a [registry.Image] on disk. The manifest is empty where only
// the children are known; the children are null where only the manifest is.
type imageRecord struct {
	manifestRecord
	Children []childRecord `json:"children"`
}

// childRecord is a [registry.Child] on disk.
type childRecord struct {
	Config       bool   `json:"config,omitempty"`
	Digest       string `json:"digest"`
	MediaType    string `json:"type,omitempty"`
	OS           string `json:"os,omitempty"`
	Architecture string `json:"arch,omitempty"`
	Variant      string `json:"variant,omitempty"`
	OSVersion    string `json:"osversion,omitempty"`
	Size         int64  `json:"size,omitempty"`
}

func newImageRecord(img registry.Image) imageRecord {
	r := imageRecord{manifestRecord: manifestRecord(img.Manifest)}
	if img.Children == nil {
		return r
	}
	r.Children = make([]childRecord, len(img.Children))
	for i, c := range img.Children {
		r.Children[i] = childRecord{
			Config:       c.Kind == registry.ChildConfig,
			Digest:       c.Digest,
			MediaType:    c.MediaType,
			OS:           c.Platform.OS,
			Architecture: c.Platform.Architecture,
			Variant:      c.Platform.Variant,
			OSVersion:    c.Platform.OSVersion,
			Size:         c.Size,
		}
	}
	return r
}

// valid reports whether a client can have answered this when asked for digest.
func (r imageRecord) valid(digest string) bool {
	m := r.manifestRecord
	if m != (manifestRecord{}) && (!m.valid() || m.Digest != digest) {
		return false
	}
	if m.Index && r.Children == nil {
		return false
	}
	for _, c := range r.Children {
		if !image.ValidDigest(c.Digest) {
			return false
		}
	}
	return true
}

func (r imageRecord) children() []registry.Child {
	if r.Children == nil {
		return nil
	}
	children := make([]registry.Child, len(r.Children))
	for i, c := range r.Children {
		children[i] = registry.Child{
			Digest:    c.Digest,
			MediaType: c.MediaType,
			Platform:  registry.Platform{OS: c.OS, Architecture: c.Architecture, Variant: c.Variant, OSVersion: c.OSVersion},
			Size:      c.Size,
		}
		if c.Config {
			children[i].Kind = registry.ChildConfig
		}
	}
	return children
}

// pushedRecord is when a tag was pushed, and what it led to.
type pushedRecord struct {
	Digest string    `json:"digest"`
	Time   time.Time `json:"time"`
}
