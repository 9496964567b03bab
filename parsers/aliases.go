package parsers

import (
	"bytes"
	"errors"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// What aliases may make of a document: so many nodes, or so many times those
// that it has, whichever is more. A few lines of aliases of lists of aliases
// stand for more than any program could walk
// (https://en.wikipedia.org/wiki/Billion_laughs_attack).
const (
	maxExpandedNodes = 400_000
	maxExpandedRatio = 10
)

var errAliases = errors.New("its aliases stand for too many nodes")

// checkAliases is errAliases if the aliases below root stand for too much. It
// cuts those that stand for what they are part of, which no tool reads. So every
// search through a tree can follow aliases without counting.
func checkAliases(root *node, data []byte) error {
	if bytes.IndexByte(data, '*') < 0 || bytes.IndexByte(data, '&') < 0 {
		return nil
	}
	e := aliasSizes{sizes: map[*node]int{}}
	size := e.size(root)
	if size > max(maxExpandedNodes, maxExpandedRatio*e.nodes) {
		return errAliases
	}
	return nil
}

// aliasSizes counts the nodes that a document has once its aliases are replaced
// by what they stand for.
type aliasSizes struct {
	sizes map[*node]int // of those with an anchor; zero while it is counted
	nodes int           // in the document as it stands
}

func (e *aliasSizes) size(n *node) int {
	if n == nil {
		return 0
	}
	if n.Kind == yaml.AliasNode {
		e.nodes++
		size := e.sizes[n.Alias]
		if size == 0 {
			n.Alias = nil // a cycle
		}
		return size
	}
	e.nodes++
	if n.Anchor != "" {
		e.sizes[n] = 0
	}
	const enough = 1 << 40 // what is more than that may wrap around
	size := 1
	for _, child := range n.Content {
		size = min(size+e.size(child), enough)
	}
	if n.Anchor != "" {
		e.sizes[n] = size
	}
	return size
}
