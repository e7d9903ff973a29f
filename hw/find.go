package hw

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/vladimirvivien/go4vl/v4l2"
)

// FindCamera returns the source of the first V4L2 camera, for OpenCamera,
// by a name that survives replugging where there is one. why says in one
// sentence what was found, or, with source empty, why there is none.
func FindCamera() (source, why string) {
	return findCamera("/dev")
}

func findCamera(dev string) (source, why string) {
	nodes, _ := filepath.Glob(filepath.Join(dev, "video*")) // the pattern is good
	if len(nodes) == 0 {
		return "", "no camera: there is no /dev/video*; plug one in"
	}
	slices.SortFunc(nodes, naturalOrder)
	for _, path := range nodes {
		var card string // the camera's own name
		err := onSteadyStack(func() error {
			fd, err := openNode(path)
			if err != nil {
				return err
			}
			defer v4l2.CloseDevice(fd)
			if caps, err := v4l2.GetCapability(fd); err == nil {
				card = caps.Card
			}
			_, err = capture(fd)
			return err
		})
		if err == nil {
			return "v4l2:" + stableName(dev, path), fmt.Sprintf("found %s at %s", card, path)
		}
		if why == "" { // the first node's reason; a second node is metadata most of the time
			why = fmt.Sprintf("no camera: %s: %v", path, plainV4L2(err))
		}
	}
	return "", why
}

// stableName returns udev's link to a node, by the camera's identity or else
// by its port, or the node's own name.
func stableName(dev, path string) string {
	for _, kind := range []string{"by-id", "by-path"} {
		links, _ := filepath.Glob(filepath.Join(dev, "v4l", kind, "*"))
		slices.Sort(links)
		for _, link := range links {
			if to, err := filepath.EvalSymlinks(link); err == nil && to == path {
				return link
			}
		}
	}
	return path
}
