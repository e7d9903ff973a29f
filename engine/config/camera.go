package config

import "strings"

// parseSource judges where the camera's frames come from. Whether a device or
// file is there is the camera's business, not the configuration's.
func parseSource(raw string) (string, Verdict) {
	const text = "v4l2:/dev/video0, clip:FILE, clip:FILE?once or scene:."
	s, v := line(1024)(raw)
	if v.Level != OK {
		return "", v
	}
	kind, rest, ok := strings.Cut(s, ":")
	if !ok {
		for _, k := range []string{"v4l2", "clip", "scene", "pipe"} {
			if strings.HasPrefix(k, s) {
				return "", half(text)
			}
		}
		if strings.HasPrefix(s, "/dev/") {
			return "", wrong("kind is missing", "A camera device is written v4l2:"+s+".").fix("v4l2:" + s)
		}
		if strings.HasPrefix(s, "/") {
			return "", wrong("kind is missing", "A recorded clip is written clip:"+s+".").fix("clip:" + s)
		}
		return "", wrong("not a source", text)
	}
	switch kind {
	case "v4l2":
		if strings.HasPrefix("/dev/", rest) {
			return "", half("The device's path follows, such as v4l2:/dev/video0.")
		}
		if !strings.HasPrefix(rest, "/") {
			return "", wrong("not a device", "The device's path follows, such as v4l2:/dev/video0.")
		}
		return s, fine("camera")
	case "clip":
		file, options, asked := strings.Cut(rest, "?")
		switch {
		case file == "":
			return "", half("The clip's path follows, such as clip:/srv/yard.mp4.")
		case asked && options != "once" && strings.HasPrefix("once", options):
			return "", half("After ? only once may follow: play it once.")
		case asked && options != "once":
			return "", wrong("not an option", "After ? only once may follow: play it once.")
		case asked:
			return s, fine("clip, once")
		}
		return s, fine("clip")
	case "scene":
		if rest != "" {
			return "", wrong("text after scene:", "The built-in scene is written scene: and nothing more.").fix("scene:")
		}
		return s, fine("built-in scene")
	case "pipe":
		if strings.TrimSpace(rest) == "" {
			return "", half("The command follows, such as pipe:ffmpeg ….")
		}
		return s, later("there is no picture")
	}
	if strings.HasPrefix(rest, "//") {
		return "", wrong("not a source", "Network cameras are not read by this version.")
	}
	return "", wrong("not a source", text)
}
