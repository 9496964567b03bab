package lint

import (
	"bytes"
	"path"
)

// configName is the name of the configuration, and digestsHead the start of the
// files that resolve writes.
const (
	configName  = ".digestlint.yaml"
	digestsHead = "# digestlint digests:"
)

// isOwn reports whether a file is one of this tool's own. These name no images
// that anything runs.
func isOwn(name string, data []byte) bool {
	return path.Base(name) == configName || bytes.HasPrefix(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), []byte(digestsHead))
}
