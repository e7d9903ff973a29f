package config

import "strings"

// commands are the values that run a command, by key.
func commands(c Config) map[string]string {
	found := map[string]string{}
	if strings.HasPrefix(c.Camera.Source, "pipe:") {
		found["camera.source"] = c.Camera.Source
	}
	return found
}

// NewCommands are the keys under which next runs a command that now does not run there.
func NewCommands(now, next Config) (keys []string) {
	had := commands(now)
	for k, v := range commands(next) {
		if had[k] != v {
			keys = append(keys, k)
		}
	}
	return keys
}
