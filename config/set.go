package config

import (
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Set is one thing that a file says.
type Set struct {
	Key   string // with the keys above it, as "online.timeout"; of an entry of a list of mappings that of the list
	Value string // in one line of YAML
	At    Place
}

// flatten lists what stands below the key, in the order of the file.
func flatten(key string, n *yaml.Node) (all []Set) {
	switch {
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			all = append(all, flatten(strings.TrimPrefix(key+"."+n.Content[i].Value, "."), n.Content[i+1])...)
		}
	case n.Kind == yaml.SequenceNode && len(n.Content) > 0 && n.Content[0].Kind == yaml.MappingNode:
		for _, item := range n.Content {
			all = append(all, Set{key, flow(item), place(item)})
		}
	default:
		all = append(all, Set{key, flow(n), place(n)})
	}
	return all
}

// flow is n in one line.
func flow(n *yaml.Node) string {
	var parts []string
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, flow(n.Content[i])+": "+flow(n.Content[i+1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case yaml.SequenceNode:
		for _, item := range n.Content {
			parts = append(parts, flow(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 || strings.ContainsAny(n.Value, ",[]{}") {
		return strconv.Quote(n.Value)
	}
	return n.Value
}
