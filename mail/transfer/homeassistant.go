package transfer

import (
	"context"
	"encoding/json"
	"path"
	"strings"

	"watchpost/engine/config"
	"watchpost/engine/event"
)

// entity is what Home Assistant is told of a thing (its documentation: MQTT
// discovery, MQTT camera, MQTT event).
type entity struct {
	Name         string       `json:"name"`
	UniqueID     string       `json:"unique_id"`
	Topic        string       `json:"topic,omitempty"`       // of a camera
	State        string       `json:"state_topic,omitempty"` // of an event
	Types        []string     `json:"event_types,omitempty"`
	Availability string       `json:"availability_topic"`
	Device       entityDevice `json:"device"`
	Origin       entityOrigin `json:"origin"`
}

type entityDevice struct {
	Identifiers  []string `json:"identifiers"`
	Name         string   `json:"name"`
	Manufacturer string   `json:"manufacturer"`
}

type entityOrigin struct {
	Name string `json:"name"`
}

// announce tells Home Assistant of a trigger's camera and of its events. It is
// retained: Home Assistant knows them after its own restart too.
func (s *mqttSession) announce(ctx context.Context, trigger, topic string) error {
	object := config.Expand("{trigger}", config.PatternValues{Trigger: trigger})
	object = strings.ReplaceAll(object, ".", "_")
	about := entity{Availability: s.availability(), Origin: entityOrigin{"Watchpost"},
		Device: entityDevice{Identifiers: []string{s.id}, Name: "Watchpost " + path.Base(s.root()), Manufacturer: "Watchpost"}}
	camera, happening := about, about
	camera.Name, camera.UniqueID, camera.Topic = trigger+" image", s.id+"-"+object+"-image", topic+"/"+imageLevel
	happening.Name, happening.UniqueID, happening.State = trigger, s.id+"-"+object+"-event", topic+"/"+eventLevel
	for _, source := range []event.Source{event.Motion, event.BuiltIn, event.External, event.Sound, event.Timer, event.Manual} {
		happening.Types = append(happening.Types, string(source))
	}
	for kind, e := range map[string]entity{"camera": camera, "event": happening} {
		data, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if err := s.publish(ctx, "homeassistant/"+kind+"/"+s.id+"/"+object+"/config", data, "application/json", true); err != nil {
			return err
		}
	}
	if len(s.announced) >= 100 {
		clear(s.announced)
	}
	s.announced[trigger] = topic
	return nil
}
