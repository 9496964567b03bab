package exposure

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// steps are the response to an incident, most urgent first.
var steps = []struct {
	name, title string
	items       func(*Plan) []Item
}{
	{"contain", "Stop what still runs or is served", contain},
	{"rotate", "Rotate what could be read", rotate},
	{"re-pull", "Pull again, by a digest that is known to be good", repull},
	{"pin", "Pin every reference to a digest", pin},
	{"purge", "Remove the malicious images from every store", purge},
	{"prevent", "Make the next one miss", prevent},
}

// repull is the third step: what to use instead.
func repull(p *Plan) []Item {
	var items []Item
	for _, in := range p.Incidents {
		i := Item{Do: "Use this instead", On: in.Images}
		for _, g := range in.Good {
			if g.Image == "" {
				i.Note += g.What + " is said to be good (" + g.Certainty.String() + "), but by no digest that is known here. "
				continue
			}
			i.Commands = append(i.Commands, Command{What: g.describe(), Line: "docker pull " + shellQuote(g.Image)})
		}
		if len(i.Commands) == 0 {
			i.Do = "Ask the vendor for a good digest of"
			i.Note += "None is known here. Pin nothing but a digest that you have verified: by a signature, or because you had it before the incident."
		} else {
			i.Note += "A digest names the same bytes at any registry. The words in parentheses say how sure it is."
		}
		items = append(items, i)
	}
	return items
}

// describe is what g is and how sure.
func (g *Replacement) describe() string {
	s := g.What
	if g.Platform != "" {
		s += ", " + g.Platform + " only"
	}
	return s + " (" + g.Certainty.String() + ")"
}

// pin is the fourth step: the files that name the images.
func pin(p *Plan) []Item {
	if len(p.Incidents) == 0 {
		return nil
	}
	type checkout struct {
		dir, branch string
		byHand      bool // no registry has a good image under the name
	}
	type change struct{ paths, images, lines distinct[string] }
	var order distinct[checkout]
	changes := map[checkout]*change{}
	fromFiles := p.fromFiles()
	for t := range p.traces(func(t *Trace) bool { return t.Kind == Named && current(t) && fromFiles[t.Evidence] }) {
		branch := t.Place.Branch
		if strings.HasSuffix(branch, notCommitted) {
			branch = "" // it is in the work tree, and on no branch yet
		}
		at := checkout{t.Evidence, branch, neverGood(t)}
		c := changes[at]
		if c == nil {
			order.add(at)
			c = &change{}
			changes[at] = c
		}
		c.paths.add(t.Place.Path)
		c.lines.add(t.file())
		if t.Ref.Repository != "" {
			c.images.add(t.Ref.Name())
		}
	}
	var items []Item
	for _, at := range order.all {
		c := changes[at]
		i := Item{Do: "Pin the images that these files name", On: c.lines.all}
		if at.byHand {
			i.Do = "Write a good tag or digest of step 3 into these files, then pin it"
			i.Note = "No registry has a good image under what they name now."
		}
		if at.branch != "" && at.branch != "HEAD" {
			i.Commands = append(i.Commands, Command{What: "go to the branch", Line: shellCommand("git", "-C", at.dir, "switch", "--", at.branch)})
		}
		if len(c.images.all) > 0 {
			run := pinCommand(at.dir, c.images.all, c.paths.all)
			i.Commands = append(i.Commands,
				Command{What: "see what would change", Line: run("--diff")},
				Command{What: "write it", Line: run()})
		}
		items = append(items, i)
	}
	items = append(items, setImages(p)...)
	if len(items) == 0 {
		items = append(items, Item{
			Do: "Find the files that name these images, and pin them",
			On: p.images(),
			Commands: []Command{
				{What: "in each repository: who names them, now and at the time", Line: "digestlint exposure --repo . --all"},
				{What: "pin them", Line: onlyImages(p.images())},
			},
		})
	}
	return append(items, Item{
		Do: "Write down the digests for approval, and pin from that list everywhere",
		Commands: []Command{
			{What: "ask the registries once; a malicious digest is never written", Line: "digestlint resolve -o digests.yaml"},
			{What: "after the review, in each repository", Line: "digestlint pin --digests digests.yaml"},
		},
	})
}

// fromFiles are the folders whose files were read: the other evidence that names
// images is not for pin.
func (p *Plan) fromFiles() map[string]bool {
	all := map[string]bool{}
	for _, s := range p.Report.Sources {
		if s.Kind == "repository" {
			all[s.Name] = true
		}
	}
	return all
}

// setImages is how to change the templates of a cluster
// (https://kubernetes.io/docs/reference/kubectl/generated/kubectl_set/kubectl_set_image/).
func setImages(p *Plan) []Item {
	var on distinct[string]
	var commands distinct[Command]
	for _, in := range p.Incidents {
		for _, t := range in.Traces {
			if t.Kind != Named || !current(t) || t.Place.Pod == "" {
				continue
			}
			on.add(t.Where())
			if len(in.Good) > 0 && in.Good[0].Image != "" && t.Place.Container != "" {
				commands.add(Command{
					What: "set " + t.Place.workload() + " to " + in.Good[0].describe(),
					Line: kubectl(t.Place, "set", "image", t.Place.target(), "--", t.Place.Container+"="+in.Good[0].Image),
				})
			}
		}
	}
	if len(on.all) == 0 {
		return nil
	}
	return []Item{{
		Do:       "Give these workloads an image by a good digest",
		On:       on.all,
		Note:     "Change the files that they are applied from, too, or the next deployment changes them back.",
		Commands: commands.all,
	}}
}

// maxPaths is how many files a command names; more of them are found by their
// images.
const maxPaths = 20

// pinCommand is `digestlint pin` for images in the files of a folder. --update
// is for the pins among them: they move to what the tag leads to now.
func pinCommand(dir string, images, paths []string) func(flags ...string) string {
	return func(flags ...string) string {
		words := append([]string{"digestlint", "pin", "--update"}, flags...)
		for _, name := range images {
			words = append(words, "--only=image="+name)
		}
		words = append(words, "--")
		if len(paths) > maxPaths {
			return shellCommand(append(words, dir)...)
		}
		for _, p := range paths {
			words = append(words, path.Join(dir, p))
		}
		return shellCommand(words...)
	}
}

// onlyImages is `digestlint pin` for images wherever they are named.
func onlyImages(images []string) string {
	words := []string{"digestlint", "pin", "--diff"}
	for _, name := range images {
		words = append(words, "--only=image="+name)
	}
	return shellCommand(words...)
}

// images are those of all incidents.
func (p *Plan) images() []string {
	var all distinct[string]
	for _, in := range p.Incidents {
		all.add(in.Images...)
	}
	slices.Sort(all.all)
	return all.all
}

// purge is the fifth step: the stores that have the image.
func purge(p *Plan) []Item {
	type store struct {
		sure bool
		kind Kind
		name string
	}
	var order distinct[store]
	on := map[store]*distinct[string]{}
	commands := map[store]*distinct[Command]{}
	for t := range p.traces(func(t *Trace) bool { return t.Kind != Named }) {
		s := store{t.Verdict >= Likely, t.Kind, t.Place.Store}
		found := PurgeCommands(t)
		if len(found) == 0 {
			continue
		}
		if on[s] == nil {
			order.add(s)
			on[s], commands[s] = &distinct[string]{}, &distinct[Command]{}
		}
		on[s].add(t.Where())
		commands[s].add(found...)
	}
	slices.SortStableFunc(order.all, func(a, b store) int {
		if a.sure != b.sure && a.sure {
			return -1
		} else if a.sure != b.sure {
			return 1
		}
		return cmp.Compare(b.kind, a.kind)
	})
	var items []Item
	for _, s := range order.all {
		i := Item{Do: emptying[s.kind], On: on[s].all, Commands: commands[s].all}
		if !s.sure {
			i.Do = "If it turns out to be malicious, then: " + i.Do
		}
		items = append(items, i)
	}
	if len(items) > 0 {
		items = append(items, Item{
			Do:       "Verify that it is gone: run digestlint exposure again, on evidence taken afterwards",
			Commands: []Command{{What: "registries can be emptied by it, too; it shows what it would delete, and asks", Line: "digestlint exposure --registry HOST --purge"}},
		})
	}
	return items
}

// emptying is what to do about a store, by what the evidence says of it.
var emptying = map[Kind]string{
	Pulled:  "Remove it from the hosts that ran these jobs, unless they are thrown away",
	Present: "Remove it from these image stores",
	Running: "Remove it from where these ran",
	Cached:  "Delete it from these registries and caches",
}

// prevent is the sixth step.
func prevent(p *Plan) []Item {
	if len(p.Incidents) == 0 {
		return nil
	}
	return []Item{{
		Do:   "Allow reviewed digests only",
		Note: "With `approved: digests.yaml` in .digestlint.yaml, the rule unapproved-digest reports every other one, offline.",
		Commands: []Command{
			{What: "write the list", Line: "digestlint resolve -o digests.yaml"},
		},
	}, {
		Do:   "Check every change before it lands: in CI, and as a pre-commit hook",
		Note: "A reference without a digest, or with a malicious one, fails the check. The hook is `digestlint` of github.com/digestlint/digestlint.",
		Commands: []Command{
			{What: "in CI", Line: "digestlint check"},
		},
	}, {
		Do:   "Update pins late: most malicious tags are found within days",
		Note: "A tag that was pushed within the last days, or nobody knows when, stays at its old digest.",
		Commands: []Command{
			{What: "move pins that are old enough", Line: "digestlint pin --update --min-age 7d"},
		},
	}, {
		Do: "Verify signatures where the vendor signs, by cosign or Notation, before a digest is approved",
		Note: "The identity is the vendor's to publish: take it from his documentation, not from the image. " +
			"Docker Content Trust is no way to do it any more: its service is being shut down.",
		Commands: []Command{
			{What: "Sigstore", Line: "cosign verify --certificate-identity=IDENTITY --certificate-oidc-issuer=ISSUER NAME@DIGEST"},
			{What: "Notary Project", Line: "notation verify NAME@DIGEST"},
		},
	}, {
		Do: "Leave less within reach: secrets for the one step that needs them, tokens that live for minutes, no network but to named hosts for jobs that scan or build",
	}}
}
