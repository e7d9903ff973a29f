package tui

import (
	"slices"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// PageFields are the keys of the fields that a page has, in its order, for others who
// ask for them; a page is mail, camera or system.
func PageFields(page string) []string {
	all := map[string][]string{"mail": mailFields, "camera": cameraFields, "system": systemFields}[page]
	return slices.DeleteFunc(slices.Clone(all), func(k string) bool { return k == "" })
}

// ItemFields are the keys of the fields that a trigger or a transfer uses, by what is
// chosen in the draft, in the order of its form; an empty one is a gap.
func ItemFields(d *config.Draft, list, name string) []string {
	prefix := list + "." + name + "."
	raw := func(leaf string) string { return d.Raw(prefix + leaf) }
	leaves := triggerFields(event.Source(raw("source")), event.Source(raw("and.source")))
	if list == transfersKey {
		leaves = transferFields(raw("kind"), raw("auth"), raw("method"))
	}
	ks := make([]string, len(leaves))
	for i, leaf := range leaves {
		if leaf != "" {
			ks[i] = prefix + leaf
		}
	}
	return ks
}

// Choices are what may be chosen in a field that has a list of its own; nil: it is typed.
func Choices(k string) []string {
	field, _ := config.Lookup(k)
	if field.Choices == nil && (field.Default == "true" || field.Default == "false") {
		return []string{"true", "false"}
	}
	return field.Choices
}

// Because is an error for a person, harmless for a screen.
func Because(err error) string { return because(err) }

// Clean makes foreign text harmless for a screen.
func Clean(s string) string { return clean(s) }
