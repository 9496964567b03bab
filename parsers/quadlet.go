package parsers

import (
	"bytes"
	"path"
	"strings"

	"github.com/digestlint/digestlint/image"
	"github.com/digestlint/digestlint/source"
)

// Quadlet reads the unit files of Podman's systemd generator
// (https://docs.podman.io/en/latest/markdown/podman-systemd.unit.5.html).
var Quadlet = register(Format{
	Name:    "quadlet",
	Title:   "Podman Quadlet",
	Files:   "Unit files `*.container`, `*.image`, `*.volume`, `*.build`, `*.artifact`, and their drop-ins.",
	Places:  "`Image`, image mounts, commands of `[Service]`, and `ImageTag`, which is an output.",
	Comment: "#",
	Detect:  detectQuadlet,
	Parse:   parseQuadlet,
})

// quadletSections are the sections with images, by the extension of the file.
var quadletSections = map[string]string{
	".container": "[Container]", ".image": "[Image]", ".volume": "[Volume]", ".build": "[Build]", ".artifact": "[Artifact]",
}

func detectQuadlet(c *Candidate) Certainty {
	ext := c.ext
	if ext == ".conf" { // a drop-in of "web.container"
		if folder, ok := strings.CutSuffix(path.Base(path.Dir(c.Path)), ".d"); ok {
			ext = path.Ext(folder)
			if ext == "" {
				ext = "." + folder
			}
		}
	}
	if section, ok := quadletSections[ext]; ok && bytes.Contains(c.Data, []byte(section)) {
		return Path
	}
	return No
}

func parseQuadlet(p *Pass) {
	section := ""
	eachUnitLine(p.Text, func(line *source.Text) {
		if line.Data[0] == '[' {
			section = strings.Trim(line.String(), "[]")
			return
		}
		eq := bytes.IndexByte(line.Data, '=')
		if eq < 0 {
			return
		}
		key := strings.TrimSpace(string(line.Data[:eq]))
		value := line.Slice(eq+1, len(line.Data)).Trim()
		if len(value.Data) == 0 {
			return
		}
		p.quadletKey(section, key, value)
	})
}

func (p *Pass) quadletKey(section, key string, value *source.Text) {
	pointer := section + "." + key
	switch section + "." + key {
	case "Container.Image", "Volume.Image", "Image.Image":
		p.unitImage(value, image.Pull, pointer)
	case "Build.ImageTag", "Image.ImageTag":
		p.unitImage(value, image.Output, pointer)
	case "Container.Mount":
		if start, end := field(value.String(), "type"); string(value.Data[start:end]) != "image" {
			return
		}
		for _, name := range []string{"source", "src"} {
			if start, end := field(value.String(), name); start < end {
				p.unitImage(value.Slice(start, end), image.Pull, pointer)
			}
		}
	}
	if section == "Service" && strings.HasPrefix(key, "Exec") {
		p.nested(value.Slice(len(value.Data)-len(bytes.TrimLeft(value.Data, "-@:+!|")), len(value.Data)), pointer,
			func(q *Pass) { q.shell(noLookup, templating{scan: scanSpecifier, look: noLookup}) })
	}
}

// unitImage reports an image that is not another unit's, as "web.image" and
// "web.build" are, and stands in a registry.
func (p *Pass) unitImage(t *source.Text, role image.Role, pointer string) {
	t = cutScheme(unquote(t))
	s := t.String()
	if strings.HasSuffix(s, ".image") || strings.HasSuffix(s, ".build") {
		return
	}
	for _, transport := range []string{"containers-storage:", "docker-archive:", "docker-daemon:", "oci-archive:", "oci:", "dir:", "sif:", "/", "./"} {
		if strings.HasPrefix(s, transport) {
			return
		}
	}
	p.Use(found{text: t, role: role, pointer: pointer, values: expand(t, firstOf(scanSpecifier, scanDollar), noLookup)})
}

// scanSpecifier finds the specifiers of systemd, such as "%i"; "%%" is a
// percent sign (https://www.freedesktop.org/software/systemd/man/latest/systemd.unit.html#Specifiers).
func scanSpecifier(data []byte, i int) (variable, bool) {
	for ; i+1 < len(data); i++ {
		if data[i] != '%' {
			continue
		}
		if data[i+1] == '%' {
			i++
			continue
		}
		if c := data[i+1]; c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			return variable{start: i, end: i + 2, name: string(data[i : i+2]), nameStart: i, nameEnd: i + 2}, true
		}
	}
	return variable{}, false
}

// eachUnitLine gives the lines of a unit file that are not empty and no
// comment. A backslash continues a line, also over comments between
// (https://www.freedesktop.org/software/systemd/man/latest/systemd.syntax.html).
func eachUnitLine(t *source.Text, give func(*source.Text)) {
	data := t.Data
	start := 0
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		start = 3
	}
	var b *source.Builder
	for start < len(data) {
		end := lineEnd(data, start)
		line := bytes.TrimRight(data[start:end], "\r")
		body := bytes.TrimSpace(line)
		comment := len(body) > 0 && (body[0] == '#' || body[0] == ';')
		switch {
		case comment:
		case len(body) > 0 && body[len(body)-1] == '\\':
			if b == nil {
				b = source.NewBuilder(t)
			}
			stop := start + bytes.LastIndexByte(line, '\\')
			b.Copy(start, stop)
			b.Put(" ", stop, min(end+1, len(data)))
		case b != nil:
			b.Copy(start, start+len(line))
			if joined := b.Text().Trim(); len(joined.Data) > 0 {
				give(joined)
			}
			b = nil
		case len(body) > 0:
			give(t.Slice(start, start+len(line)).Trim())
		}
		start = end + 1
	}
	if b != nil {
		if joined := b.Text().Trim(); len(joined.Data) > 0 {
			give(joined)
		}
	}
}
