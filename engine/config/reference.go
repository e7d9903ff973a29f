package config

import "strings"

// Reference is the configuration reference as Markdown, made from the field
// table: a section for each part of the file, a row for each key.
func Reference() string {
	var b strings.Builder
	section := "-"
	for i := range table {
		f := &table[i]
		if s := sectionOf(f.Key); s != section {
			section = s
			b.WriteString("\n| " + sectionTitle(s) + " | meaning | values | default |\n|---|---|---|---|\n")
		}
		key := strings.TrimSuffix(f.Key, ".*")
		key = strings.TrimPrefix(strings.TrimPrefix(key, section), ".")
		key = strings.TrimPrefix(key, "*.")
		if key == "" {
			key = f.Key
		}
		help := f.Help
		switch {
		case f.Secret && strings.Contains(f.Key, "*"):
			help += " In `secrets.yaml`, mode 0600: `" + section + ": {NAME: {" + key + ": …}}`."
		case f.Secret:
			help += " In `secrets.yaml`, mode 0600, under the same key."
		}
		if len(f.kinds) > 0 && listIn(f.Key) == &transfers { // a trigger's help says it where it is not plain
			help = "(" + strings.Join(f.kinds, ", ") + ") " + help
		}
		def := ""
		if f.Default != "" {
			def = "`" + f.Default + "`"
		}
		b.WriteString("| `" + key + "` | " + cell(help) + " | " + cell(f.values) + " | " + cell(def) + " |\n")
	}
	return strings.TrimPrefix(b.String(), "\n")
}

func sectionOf(key string) string {
	s, _, dotted := strings.Cut(key, ".")
	if !dotted {
		return ""
	}
	return s
}

func sectionTitle(s string) string {
	switch s {
	case "":
		return "key"
	}
	if listIn(s) != nil {
		return "each of `" + s + ":`"
	}
	return "`" + s + ":`"
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
