package engine

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"watchpost/engine/event"
	"watchpost/engine/frame"
	"watchpost/engine/motion"
)

const viewersMax = 32 // who wait for a frame at once; beyond them the one who waits longest gets none

// View returns the next frame as the detector sees it; see API.
func (e *Engine) View(ctx context.Context) (event.View, error) {
	reply := make(chan event.View, 1) // the detector waits for nobody
	look := time.NewTicker(tick)
	defer look.Stop()
	for asked := false; ; {
		var why error
		if err := e.do(ctx, func() { why = e.noPicture() }); err != nil {
			return event.View{}, err
		}
		if why != nil {
			return event.View{}, why
		}
		for !asked {
			select {
			case e.detector.shown <- reply:
				asked = true
			default:
				select {
				case <-e.detector.shown: // mostly of one who has gone
				default:
				}
			}
		}
		select {
		case v := <-reply:
			return v, nil
		case <-ctx.Done():
			return event.View{}, ctx.Err()
		case <-look.C:
		}
	}
}

// noPicture says why there is none to see.
func (e *Engine) noPicture() error {
	switch c := e.cameraStatus(); {
	case e.private():
		return errors.New("there is no picture: privacy mode is on")
	case c.State != event.CameraOK && c.State != event.CameraStarting:
		return errors.New("there is no picture: the camera is " + string(c.State))
	}
	return nil
}

// show gives a frame to all who wait for it. Where nobody does it costs nothing.
func (d *detector) show(cfg *detection, det *motion.Detector, p *frame.Plane, f *frame.Frame, at time.Time, results []motion.Result) {
	if len(d.shown) == 0 {
		return
	}
	v := event.View{Seq: f.Seq, At: at, Width: p.Width, Height: p.Height, Scale: p.Scale, PictureWidth: p.PicWidth, PictureHeight: p.PicHeight,
		Luma: bytes.Clone(p.Pix), Unknown: bytes.Clone(p.Unknown)}
	var blue, red frame.Plane
	if d.pictures.Chroma(&blue, &red, f) == nil && blue.Width == red.Width && blue.Height == red.Height {
		for _, c := range []*frame.Plane{&blue, &red} {
			for i, u := range c.Unknown {
				if u != 0 {
					c.Pix[i] = 128
				}
			}
		}
		v.ColourWidth, v.ColourHeight, v.Blue, v.Red = blue.Width, blue.Height, blue.Pix, red.Pix
	}
	for i, r := range results {
		v.Seen = append(v.Seen, event.Seen{Trigger: cfg.roles[i].trigger, Second: cfg.roles[i].second, Active: r.Active,
			Level: r.Level, Fires: motion.ThresholdPercent(cfg.params[i].Threshold), Box: r.Box, Moving: slices.Clone(det.Mask(i))})
	}
	for {
		select {
		case reply := <-d.shown:
			reply <- v
		default:
			return
		}
	}
}
