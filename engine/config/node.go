package config

import (
	"go.yaml.in/yaml/v3"
)

// scalar makes a node for one value. A text stays a text when it is read again,
// even where it looks like a number, a date or null.
func scalar(value string, as form) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: value}
	if as == text {
		n.Tag = "!!str"
	}
	return n
}

// node makes the YAML for a field's value as its get gave it.
func (f *Field) node(value string) *yaml.Node {
	if f.form.composed() {
		if value == "" && f.Check("[]").Level == OK {
			return &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		}
		if value == "" {
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
		}
		if n, v := parseFlow(value); !v.Blocks() {
			return n
		}
	}
	if value == "" {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle}
	}
	return scalar(value, f.form)
}
