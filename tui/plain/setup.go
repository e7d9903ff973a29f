package plain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"watchpost/engine/config"
	"watchpost/tui"
)

// callTime is how long the engine may take to answer.
const callTime = 15 * time.Second

// tries is how often one field is asked for again: enough for any person, and an end
// for a script that gives the same wrong answer for ever.
const tries = 20

var errAnswers = errors.New("too many answers that are none; nothing was saved")

// first are the fields that everybody is asked for: the box, its camera, and what the
// customer's sheet of mail settings says.
var first = []string{
	"site.name", "site.time_zone", "camera.source",
	"smtp.server", "smtp.port", "smtp.security", "smtp.auth", "smtp.username", "smtp.password",
	"mail.reply_address", "mail.destinations.1", "mail.destinations.2", "mail.destinations.3", "mail.subject",
}

// setup is one run through the settings.
type setup struct {
	*Prompt
	b     Backend
	draft *config.Draft
	in    config.Settings // in force
}

// Setup asks for the settings, tries them, and saves them after a summary and one
// question. It returns nil where they were saved or nothing was changed; ErrUnsaved,
// ErrLeft, or io.EOF where the input ended before.
func Setup(ctx context.Context, b Backend, o Options) error {
	return setUp(ctx, b, NewPrompt(o))
}

func setUp(ctx context.Context, b Backend, p *Prompt) error {
	s := &setup{Prompt: p, b: b}
	if err := s.load(ctx); err != nil {
		return err
	}
	s.Say("Enter or . keeps what stands in brackets, - empties it, ? explains it.")
	s.Say("< goes back one question, = takes what is offered, ! goes on to what follows these questions.")
	if err := s.fields(ctx, func() []string { return first }); err != nil {
		return err
	}
	if err := s.firstTrigger(ctx); err != nil {
		return err
	}
	if err := s.more(ctx); err != nil {
		return err
	}
	return s.finish(ctx)
}

func (s *setup) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	in, err := s.b.Config(ctx)
	if err != nil {
		return err
	}
	s.in, s.draft = in, config.NewDraft(in)
	return nil
}

// fields asks for fields in turn. Which those are may follow from what was answered.
func (s *setup) fields(ctx context.Context, keys func() []string) error {
	last := ""
	for i := 0; i < len(keys()); {
		if err := ctx.Err(); err != nil {
			return err
		}
		key := keys()[i]
		if key == "" {
			i++
			continue
		}
		if name, _, _ := strings.Cut(key, "."); name != last && titles[name] != "" && strings.Count(key, ".") < 3 {
			last = name
			s.Say("")
			s.Say("%s", titles[name])
		}
		to, err := s.field(key)
		switch {
		case err != nil:
			return err
		case to == end:
			return nil
		case to == forward:
			i++
		default:
			for i--; i >= 0 && keys()[i] == ""; i-- {
			}
			if i < 0 {
				i = 0
				s.Say("  This is the first question.")
			}
		}
	}
	return nil
}

var titles = map[string]string{"site": "The box", "camera": "The camera", "smtp": "The mail server", "mail": "The mail",
	"privacy": "Privacy mode", "storage": "What is kept", "ssh": "SSH", "serial": "Serial consoles"}

// Where a question leads to.
type turn uint8

const (
	forward turn = iota
	back
	end
)

// field asks for one field until its value can be saved. A wrong one leaves it as it was.
func (s *setup) field(key string) (turn, error) {
	field, ok := config.Lookup(key)
	if !ok {
		return forward, fmt.Errorf("there is no field %s", key)
	}
	offer := s.draft.Verdict(key).Fix
	for range tries {
		answer, err := s.answer(field, key)
		if err != nil {
			return forward, err
		}
		was, set := s.draft.Raw(key), s.draft.SecretSet(key)
		switch answer {
		case "?":
			s.explain(field)
			continue
		case "<":
			return back, nil
		case "!":
			return end, nil
		case "", ".":
			s.judge(s.draft.Verdict(key))
			return forward, nil
		case "=":
			if offer == "" {
				s.Say("  Nothing is offered here.")
				continue
			}
			s.draft.Set(key, offer)
		case "-":
			s.draft.Clear(key)
		default:
			s.draft.Set(key, answer)
		}
		v := s.draft.Verdict(key)
		s.judge(v)
		offer = v.Fix
		if v.Blocks() {
			if s.draft.Set(key, was); field.Secret && !set {
				s.draft.Clear(key)
			}
		} else if offer == "" {
			return forward, nil
		}
		if offer != "" {
			s.Say("  Type = for %s; Enter keeps what stands in brackets.", offer)
		}
	}
	return forward, errAnswers
}

// judge says what there is to say of a value.
func (s *setup) judge(v config.Verdict) {
	if text := verdict(v); text != "" {
		s.Say("  %s", text)
	}
}

// answer asks, showing what the field has.
func (s *setup) answer(field config.Field, key string) (string, error) {
	question := field.Label
	if all := tui.Choices(key); len(all) > 0 {
		question += " (" + strings.Join(all, ", ") + ")"
	}
	if !field.Secret {
		return s.Ask(fmt.Sprintf("%s [%s]: ", question, s.draft.Raw(key)))
	}
	state := ""
	if s.draft.SecretSet(key) {
		state = "set, not shown"
	}
	return s.AskSecret(fmt.Sprintf("%s [%s]: ", question, state))
}

func (s *setup) explain(field config.Field) {
	s.Say("  %s", field.Help)
	if field.Default != "" {
		s.Say("  Unless chosen: %s.", field.Default)
	}
	if all := tui.Choices(field.Key); len(all) > 0 {
		s.Say("  One of: %s.", strings.Join(all, ", "))
	}
}

// verdict is what there is to say of a value: the words of the one field table.
func verdict(v config.Verdict) string {
	text := v.Text
	if text == "" || v.Level <= config.OK {
		text = v.Short
	}
	word := map[config.Level]string{config.OK: "ok", config.Incomplete: "incomplete", config.Warning: "warning", config.Error: "error"}[v.Level]
	switch {
	case word == "" || text == word:
		return text
	case text == "":
		return word
	}
	return word + ": " + text
}

// firstTrigger offers one where there is none: without it nothing is watched.
func (s *setup) firstTrigger(ctx context.Context) error {
	if len(s.in.Config.Triggers) > 0 || s.draft.Changed("triggers") {
		return nil
	}
	s.Say("")
	ok, err := s.yes("There is no trigger: nothing is watched. Add one for motion?", true)
	if err == nil && ok {
		s.draft.Set("triggers", tui.ListText(tui.WithItem(s.in.Config, "triggers", "motion", "motion"), "triggers"))
	}
	return err
}

// sections are the names of further settings, each with its fields: all of the field
// table, whatever is added to it.
func sections() []string {
	names := []string{"mail", "camera", "system", "triggers", "transfers"}
	var rest []string
	for _, f := range config.Fields() {
		name, _, _ := strings.Cut(f.Key, ".")
		if name != "version" && !slices.Contains(names, name) && !slices.Contains(rest, name) && len(keysOf(name)) > 0 {
			rest = append(rest, name)
		}
	}
	return append(names, rest...)
}

// keysOf are the fields of a section: those of a page, and what no page has by the
// first word of their keys.
func keysOf(section string) []string {
	if keys := tui.PageFields(section); keys != nil {
		return keys
	}
	paged := slices.Concat(tui.PageFields("mail"), tui.PageFields("camera"), tui.PageFields("system"))
	var keys []string
	for _, f := range config.Fields() {
		if name, _, _ := strings.Cut(f.Key, "."); name == section && !strings.Contains(f.Key, "*") && !slices.Contains(paged, f.Key) {
			keys = append(keys, f.Key)
		}
	}
	return keys
}

// more asks which further settings to go through.
func (s *setup) more(ctx context.Context) error {
	for range 100 {
		s.Say("")
		answer, err := s.Ask("More settings? " + strings.Join(sections(), ", ") + "; Enter: none of them: ")
		if err != nil {
			return err
		}
		switch answer = strings.ToLower(strings.TrimSpace(answer)); {
		case answer == "", answer == ".", answer == "no", answer == "!":
			return nil
		case answer == "triggers", answer == "transfers":
			err = s.items(ctx, answer)
		case slices.Contains(sections(), answer):
			err = s.fields(ctx, func() []string { return keysOf(answer) })
		default:
			s.Say("  There is no %s here.", answer)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// finish goes to what is in the way of saving, tries the settings, shows what changes,
// asks once and saves.
func (s *setup) finish(ctx context.Context) error {
	for range tries {
		x, blocked := s.draft.Blocking()
		if !blocked {
			break
		}
		s.Say("")
		s.Say("This is in the way of saving: %s", verdict(x.Verdict))
		if _, err := s.field(x.Key); err != nil {
			return err
		}
	}
	if x, blocked := s.draft.Blocking(); blocked {
		return fmt.Errorf("nothing was saved: %s", x)
	}
	if err := s.diagnosis(ctx); err != nil {
		return err
	}
	changes := s.draft.Changes()
	if len(changes) == 0 {
		s.Say("Nothing was changed.")
		return s.testMail(ctx)
	}
	s.Say("")
	s.Say("What changes:")
	for _, ch := range changes {
		s.Say("  %s", s.change(ch))
	}
	s.Say("Mail goes to: %s. Check each address.", strings.Join(s.destinations(), ", "))
	ok, err := s.yes("Save?", true)
	if err != nil {
		return err
	}
	if !ok {
		return ErrUnsaved
	}
	if err := s.save(ctx); err != nil {
		return err
	}
	s.Say("Saved.")
	return s.testMail(ctx)
}

// change is one change in words; of a secret only that it is one.
func (s *setup) change(ch config.Change) string {
	field, _ := config.Lookup(ch.Key)
	label := field.Label
	if parts := strings.Split(ch.Key, "."); len(parts) > 2 && (parts[0] == "triggers" || parts[0] == "transfers") {
		label = parts[1] + ": " + label
	}
	was, now := config.NewDraft(s.in).Raw(ch.Key), s.draft.Raw(ch.Key)
	switch {
	case field.Secret && ch.Value == "":
		return label + ": removed"
	case field.Secret:
		return label + ": set, not shown"
	case was == "":
		return label + ": " + now
	case now == "":
		return label + ": emptied, was " + was
	}
	return label + ": " + now + ", was " + was
}

func (s *setup) destinations() (out []string) {
	for n := 1; n <= config.MaxDestinations; n++ {
		if a := strings.TrimSpace(s.draft.Raw(fmt.Sprintf("mail.destinations.%d", n))); a != "" {
			out = append(out, a)
		}
	}
	if out == nil {
		return []string{"nobody yet"}
	}
	return out
}

// save saves the draft on top of what others may have saved meanwhile. Where they
// changed the same field the person says whose it is to be.
func (s *setup) save(ctx context.Context) error {
	for range 5 {
		in, findings, err := s.apply(ctx, s.draft.Changes())
		switch {
		case err == nil:
			for _, f := range findings {
				f.File, f.Line = "", 0
				s.Say("  %s", f)
			}
			s.in, s.draft = in, config.NewDraft(in)
			return nil
		case errors.Is(err, config.ErrRefused) && len(findings) > 0:
			return fmt.Errorf("nothing was saved: %s", findings[0])
		case !errors.Is(err, config.ErrConflict):
			return err
		}
		if err := s.meet(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("nothing was saved: %w", config.ErrConflict)
}

// meet puts the draft on top of the configuration that somebody else has saved.
func (s *setup) meet(ctx context.Context) error {
	call, cancel := context.WithTimeout(ctx, callTime)
	in, err := s.b.Config(call)
	cancel()
	if err != nil {
		return err
	}
	s.in = in
	for _, key := range s.draft.Rebase(in) {
		field, _ := config.Lookup(key)
		theirs := config.NewDraft(in).Raw(key)
		if field.Secret {
			theirs = "another one, not shown"
		}
		mine, err := s.yes(fmt.Sprintf("%s was changed elsewhere in the meantime, to: %s. Save yours all the same?", field.Label, theirs), false)
		if err != nil {
			return err
		}
		if !mine {
			s.draft.Set(key, config.NewDraft(in).Raw(key))
		}
	}
	return nil
}

func (s *setup) apply(ctx context.Context, changes []config.Change) (config.Settings, []config.Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return s.b.Apply(ctx, s.in.Revision, changes)
}

// ended reports that the input has ended, where that is a no to a question.
func ended(err error) bool { return errors.Is(err, io.EOF) }
