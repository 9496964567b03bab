package exposure

import (
	"bufio"
	"crypto/sha256"
	_ "embed" // for the page and its style
	"encoding/base64"
	"html/template"
	"io"
)

var (
	//go:embed plan.html
	planPage string
	//go:embed plan.css
	planStyle string
)

// htmlLimits are for a page that a browser opens at once and that can be read.
var htmlLimits = limits{groups: 100, places: 400, links: 30, moments: 150, items: 60, on: 60, commands: 40, sources: 200, notes: 20, errors: 200}

var planTemplate = template.Must(template.New("plan").Funcs(template.FuncMap{
	"openable": openable,
	"phrases":  phrases,
}).Parse(planPage))

// HTML writes p as one page that needs nothing else: no script, no font, no
// picture, no connection. Its policy (https://www.w3.org/TR/CSP3/) allows its own
// style alone, so that a browser would not obey even what slipped through the
// escaping. The errors are those of w.
func (p *Plan) HTML(w io.Writer) error {
	sum := sha256.Sum256([]byte(planStyle))
	out := bufio.NewWriter(w)
	err := planTemplate.Execute(out, struct {
		*view
		Style  template.CSS
		Policy string
	}{
		newView(p, htmlLimits),
		template.CSS(planStyle),
		"default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'",
	})
	if err != nil {
		return err
	}
	return out.Flush()
}
