package config

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseFlow reads YAML in flow style, as a person types a list or a map into
// one field. Open brackets at its end are incomplete.
func parseFlow(raw string) (*yaml.Node, Verdict) {
	if len(raw) > 64<<10 {
		return nil, wrong("too long", "At most 64 KiB.")
	}
	root, err := oneDocument([]byte(raw))
	if err != nil || root == nil {
		if strings.Count(raw, "[")+strings.Count(raw, "{") > strings.Count(raw, "]")+strings.Count(raw, "}") {
			return nil, half("A bracket is still open.")
		}
		return nil, wrong("not a list or map", "Lists are [a, b], maps are {key: value}.")
	}
	if f := oddities(root); f != nil {
		return nil, wrong("plain YAML only", f.message())
	}
	return root, fine("")
}

var errSecondDocument = errors.New("more than one YAML document; the file holds one")

// oneDocument parses text into its one node; nil where there is none.
func oneDocument(text []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errSecondDocument
		}
		return nil, err
	}
	if len(doc.Content) != 1 {
		return nil, nil
	}
	return doc.Content[0], nil
}

// oddities returns a finding for the first thing in the tree that a
// configuration does not use: anchors, aliases, merge keys, tags.
func oddities(n *yaml.Node) *Finding {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return &Finding{Line: n.Line, Verdict: wrong("anchor or alias", "Anchors and aliases (& and *) are not used here: write the value out.")}
	case n.Kind == yaml.ScalarNode && n.Tag == "!!merge":
		return &Finding{Line: n.Line, Verdict: wrong("merge key", "Merge keys (<<) are not used here: write the values out.")}
	case n.Style&yaml.TaggedStyle != 0:
		return &Finding{Line: n.Line, Verdict: wrong("tag", "Tags ("+quote(n.Tag)+") are not used here.")}
	}
	for _, c := range n.Content {
		if f := oddities(c); f != nil {
			return f
		}
	}
	return nil
}

// flowText writes a node in one line.
func flowText(n *yaml.Node) string {
	b, err := yaml.Marshal(flowCopy(n))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(b), "\n")
}

// flowCopy copies a tree without comments, in flow style.
func flowCopy(n *yaml.Node) *yaml.Node {
	c := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value}
	if n.Kind == yaml.ScalarNode {
		c.Style = n.Style & (yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle)
		if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || strings.ContainsAny(n.Value, "\n\r") {
			c.Style = yaml.DoubleQuotedStyle
		}
		return c
	}
	c.Style = yaml.FlowStyle
	for _, child := range n.Content {
		c.Content = append(c.Content, flowCopy(child))
	}
	return c
}

// pair is one entry of a map.
type pair struct {
	key   string
	value *yaml.Node
}

// pairsOf takes a map apart; a key that comes twice is refused.
func pairsOf(n *yaml.Node, text string) ([]pair, Verdict) {
	if n.Kind != yaml.MappingNode {
		return nil, wrong("not a map", text)
	}
	var all []pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode {
			return nil, wrong("not a map", text)
		}
		for _, p := range all {
			if p.key == k.Value {
				return nil, wrong("key comes twice", "The key "+quote(k.Value)+" comes twice.")
			}
		}
		all = append(all, pair{k.Value, n.Content[i+1]})
	}
	return all, fine("")
}
