package config

import "strings"

// boxOnly are the values that who is elsewhere may not set, by key: what runs a
// command, and where public keys are written to, since with the right file's name
// that lets in by other doors of the box.
func boxOnly(c Config) map[string]string {
	found := map[string]string{"ssh.authorized_keys": c.SSH.AuthorizedKeys}
	if strings.HasPrefix(c.Camera.Source, "pipe:") {
		found["camera.source"] = c.Camera.Source
	}
	return found
}

// BoxOnly are the keys whose values in next are to be set at the box only, and are
// not those of now.
func BoxOnly(now, next Config) (keys []string) {
	had := boxOnly(now)
	for k, v := range boxOnly(next) {
		if had[k] != v {
			keys = append(keys, k)
		}
	}
	return keys
}
