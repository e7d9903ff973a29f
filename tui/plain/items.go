package plain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"watchpost/engine/config"
	"watchpost/tui"
)

// items goes through triggers or transfers: one is edited by its name, added with +,
// taken away with a minus before its name. Adding and taking away is saved at once, as
// on the Triggers page.
func (s *setup) items(ctx context.Context, list string) error {
	noun, what := "trigger", "source"
	if list == "transfers" {
		noun, what = "transfer", "kind"
	}
	for range 100 {
		names := s.names(list)
		s.Say("")
		if len(names) == 0 {
			s.Say("There is no %s.", noun)
		}
		for _, n := range names {
			s.Say("%s: %s", n, s.draft.Raw(list+"."+n+"."+what))
		}
		answer, err := s.Ask("Name of a " + noun + " to edit, + adds one, -NAME deletes one; Enter: done: ")
		if err != nil {
			return err
		}
		switch answer = strings.TrimSpace(answer); {
		case answer == "", answer == ".", answer == "!", answer == "<":
			return nil
		case answer == "+":
			err = s.add(ctx, list, noun, what)
		case strings.HasPrefix(answer, "-"):
			err = s.remove(ctx, list, noun, strings.TrimSpace(answer[1:]))
		case slices.Contains(names, answer):
			err = s.fields(ctx, func() []string { return tui.ItemFields(s.draft, list, answer) })
		default:
			s.Say("  There is no %s called %s.", noun, answer)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// names are those of the saved items.
func (s *setup) names(list string) (out []string) {
	if list == "triggers" {
		for _, t := range s.in.Config.Triggers {
			out = append(out, t.Name)
		}
		return out
	}
	for _, t := range s.in.Config.Transfers {
		out = append(out, t.Name)
	}
	return out
}

func (s *setup) add(ctx context.Context, list, noun, what string) error {
	field, _ := config.Lookup(list + ".*." + what)
	choices := []string{"motion", "external", "builtin", "sound", "timer", "manual"}
	if list == "transfers" {
		choices = []string{"ftp", "sftp", "http", "mqtt", "email"}
	}
	kind, err := s.Ask(fmt.Sprintf("%s (%s): ", strings.ToUpper(what[:1])+what[1:], strings.Join(choices, ", ")))
	if err != nil {
		return err
	}
	kind = strings.ToLower(strings.TrimSpace(kind))
	if !slices.Contains(choices, kind) {
		s.Say("  It is one of them; nothing was added. %s", field.Help)
		return nil
	}
	name, err := s.Ask("What it is called: ")
	if err != nil {
		return err
	}
	name = strings.TrimSpace(name)
	if f, ok := config.Lookup(list + "." + name + ".name"); !ok || name == "" || f.Check(name).Level != config.OK || slices.Contains(s.names(list), name) {
		s.Say("  A %s needs a name of its own, of letters, digits, hyphens, underscores and spaces; nothing was added.", noun)
		return nil
	}
	return s.relist(ctx, list, tui.WithItem(s.in.Config, list, kind, name), name+" was added. Its name edits it.")
}

func (s *setup) remove(ctx context.Context, list, noun, name string) error {
	if !slices.Contains(s.names(list), name) {
		s.Say("  There is no %s called %s.", noun, name)
		return nil
	}
	ok, err := s.yes("Delete the "+noun+" "+name+"?", false)
	if err != nil || !ok {
		return err
	}
	c := s.in.Config
	c.Triggers = slices.DeleteFunc(slices.Clone(c.Triggers), func(t config.Trigger) bool { return list == "triggers" && t.Name == name })
	c.Transfers = slices.DeleteFunc(slices.Clone(c.Transfers), func(t config.Transfer) bool { return list == "transfers" && t.Name == name })
	for i := range c.Triggers {
		if list == "transfers" && c.Triggers[i].Transfer == name {
			s.Say("  The trigger %s uses it: choose another transfer there first.", c.Triggers[i].Name)
			return nil
		}
	}
	return s.relist(ctx, list, c, name+" was deleted.")
}

// relist saves a list at once; what is typed elsewhere stays as it is.
func (s *setup) relist(ctx context.Context, list string, c config.Config, did string) error {
	in, findings, err := s.apply(ctx, []config.Change{{Key: list, Value: tui.ListText(c, list)}})
	switch {
	case errors.Is(err, config.ErrConflict):
		s.Say("  The settings were changed elsewhere in the meantime; nothing was changed here. Do it again.")
		return s.meet(ctx)
	case err != nil && len(findings) > 0:
		s.Say("  Nothing was changed: %s", findings[0])
		return nil
	case err != nil:
		return err
	}
	s.in = in
	s.draft.Rebase(in)
	s.Say("  %s", did)
	return nil
}
