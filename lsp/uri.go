package lsp

import (
	"net/url"
	"strings"
)

// pathOf is the path of a "file" URI (https://www.rfc-editor.org/rfc/rfc8089),
// absolute and with "/"; false for what is no file on this machine, such as a
// text that was never saved.
func pathOf(uri string) (string, bool) {
	u, err := url.Parse(uri)
	if err != nil || !strings.EqualFold(u.Scheme, "file") || !strings.HasPrefix(u.Path, "/") || strings.ContainsRune(u.Path, 0) {
		return "", false
	}
	path := u.Path
	switch {
	case isDrive(path):
		path = strings.ToUpper(path[1:2]) + path[2:] // "/c:/x"
	case u.Host != "" && u.Host != "localhost":
		path = "//" + u.Host + path // a share of another machine
	}
	if len(path) > 1 && !strings.HasSuffix(path, ":/") {
		path = strings.TrimSuffix(path, "/")
	}
	return path, true
}

// isDrive reports whether path starts with the letter of a drive: "/c:/".
func isDrive(path string) bool {
	return len(path) > 3 && path[2] == ':' && path[3] == '/' &&
		(path[1] >= 'a' && path[1] <= 'z' || path[1] >= 'A' && path[1] <= 'Z')
}

// uriOf is the "file" URI of a path, absolute and with "/".
func uriOf(path string) string {
	u := url.URL{Scheme: "file", Path: path}
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		host, share, _ := strings.Cut(rest, "/")
		u.Host, u.Path = host, "/"+share
	} else if !strings.HasPrefix(path, "/") {
		u.Path = "/" + path
	}
	return u.String()
}
