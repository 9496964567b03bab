package exposure

import (
	"slices"
	"strings"
)

// Indicator is a trace of an incident outside of images.
type Indicator struct {
	Text string // as the advisory has it, defanged
	Kind IndicatorKind
	// Pattern is a regular expression that finds it, the same in the syntax of
	// POSIX and of Perl, without quotes and backslashes; empty where the text
	// is for people only.
	Pattern string
}

// IndicatorKind is where an indicator is to be looked for.
type IndicatorKind uint8

const (
	// OtherIndicator is a text that only people can search for.
	OtherIndicator IndicatorKind = iota
	// NetworkIndicator is a host, an address or what clients call themselves.
	NetworkIndicator
	// FileIndicator is the SHA-256 of a file.
	FileIndicator
)

func (k IndicatorKind) String() string { return []string{"other", "network", "file"}[k] }

var (
	// bracketed is a host name or an address one of whose dots is in brackets,
	// so that nothing makes a link of it.
	bracketed = pattern(`[0-9A-Za-z][0-9A-Za-z.-]*(?:\[\.\][0-9A-Za-z.-]*[0-9A-Za-z])+`)
	sha256Sum = pattern(`\b(?:[0-9a-f]{64}|[0-9A-F]{64})\b`)
	userAgent = pattern(`(?i)^user-agent:? +([!-~]+)$`)
	// perhapsMeta is every character that some syntax might give a meaning.
	perhapsMeta = pattern(`[^0-9A-Za-z_/-]`)
)

// parseIndicator finds in an indicator's text what a machine can search for.
func parseIndicator(text string) Indicator {
	if host := bracketed().FindString(text); host != "" {
		plain := strings.ReplaceAll(host, "[.]", ".")
		return Indicator{text, NetworkIndicator, strings.ReplaceAll(plain, ".", "[.]")}
	}
	if sum := sha256Sum().FindString(text); sum != "" {
		return Indicator{text, FileIndicator, strings.ToLower(sum)}
	}
	if m := userAgent().FindStringSubmatch(text); m != nil && !strings.ContainsAny(m[1], `'"\^`) {
		return Indicator{text, NetworkIndicator, perhapsMeta().ReplaceAllString(m[1], `[$0]`)}
	}
	return Indicator{Text: text}
}

// searches are what to look for to learn whether the malicious code has run, and
// whom it called.
func searches(incidents []*Incident) []Item {
	var kinds [FileIndicator + 1][]Indicator
	for _, in := range incidents {
		for _, i := range in.Indicators {
			if of := &kinds[i.Kind]; !slices.Contains(*of, i) {
				*of = append(*of, i)
			}
		}
	}
	var all []Item
	if found := kinds[NetworkIndicator]; len(found) > 0 {
		all = append(all, searchNetwork(found))
	}
	if found := kinds[FileIndicator]; len(found) > 0 {
		all = append(all, Item{
			Do: "Search the hosts and runners for these files",
			On: indicatorTexts(found),
			Commands: []Command{{
				What: "on each of them, as root",
				Line: "find / -xdev -type f -exec sha256sum {} + 2>/dev/null | grep -E '" + anyOf(found) + "'",
			}},
		})
	}
	if found := kinds[OtherIndicator]; len(found) > 0 {
		all = append(all, Item{Do: "Look for these, too", On: indicatorTexts(found)})
	}
	return all
}

// searchNetwork is how to find who was called.
func searchNetwork(found []Indicator) Item {
	pattern := anyOf(found)
	return Item{
		Do: "Search the logs of DNS, proxies, firewalls and CI jobs for these",
		On: indicatorTexts(found),
		Note: "They are defanged: [.] stands for a dot, so that nothing opens them by mistake. As a regular expression " +
			"they match the real names. A hit means that the code ran and called home.",
		Commands: []Command{
			{What: "in text", Line: "grep -rE '" + pattern + "' /var/log"},
			{What: "in Splunk", Line: `index=* | regex _raw="` + pattern + `"`},
			{What: "in Microsoft Defender or Sentinel", Line: `DeviceNetworkEvents | where strcat(RemoteUrl, " ", RemoteIP) matches regex "` + pattern + `"`},
		},
	}
}

// anyOf is a regular expression that finds any of them.
func anyOf(all []Indicator) string {
	var patterns []string
	for _, i := range all {
		if !slices.Contains(patterns, i.Pattern) {
			patterns = append(patterns, i.Pattern)
		}
	}
	return strings.Join(patterns, "|")
}

func indicatorTexts(all []Indicator) []string {
	texts := make([]string, len(all))
	for i := range all {
		texts[i] = all[i].Text
	}
	return texts
}
