package tui

import (
	"fmt"
	"strings"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
)

// SSHKeys are the public keys that may log in over SSH, and the box's own. All but
// Judge read or write files and are called within a command.
type SSHKeys interface {
	List() (KeyList, error)
	// Judge reads keys from what was typed or pasted; its error is for the person.
	Judge(text string) ([]SSHKey, error)
	Add(text string, operator bool) error
	Remove(fingerprint string) error
	Mark(fingerprint string, operator bool) error
}

// KeyList is what there is to tell of them.
type KeyList struct {
	Host     string // the box's own fingerprint; empty: it is made when SSH first runs
	Keys     []SSHKey
	Problems []string // sentences
}

// SSHKey is one that may log in.
type SSHKey struct {
	Fingerprint string // SHA256:…
	Comment     string
	Operator    bool // may look, retry and fire; else all
}

func (k SSHKey) role() string {
	if k.Operator {
		return "operator"
	}
	return "installer"
}

// sshKeys is the list of keys over the System page's fields.
type sshKeys struct {
	open  bool
	known bool // got or why is of now
	got   KeyList
	why   string // it could not be read
	list  list
	add   *line // being typed or pasted into; nil: not
}

type sshKeysMsg struct {
	got KeyList
	err error
	did string // what was changed before
}

// change does something with the keys, where do is not nil, and reads them.
func (s *sshKeys) change(a *app, did string, do func(SSHKeys) error) tea.Cmd {
	keys := a.keys
	return func() tea.Msg {
		if do != nil {
			if err := do(keys); err != nil {
				return sshKeysMsg{err: err, did: did}
			}
		}
		got, err := keys.List()
		return sshKeysMsg{got: got, err: err, did: did}
	}
}

// show opens the list.
func (s *sshKeys) show(a *app) tea.Cmd {
	switch {
	case a.keys == nil && a.rights.Operator:
		a.say = operatorText
		return nil
	case a.keys == nil:
		a.say = "There are no SSH keys here: only watchpost as a service answers over SSH."
		return nil
	}
	*s = sshKeys{open: true}
	return s.change(a, "", nil)
}

// done takes what a command came to.
func (s *sshKeys) done(a *app, m sshKeysMsg) {
	switch {
	case m.err != nil && m.did != "":
		a.say = "Nothing was changed: " + because(m.err)
	case m.err != nil:
		s.known, s.why = true, because(m.err)
	default:
		s.known, s.why, s.got = true, "", m.got
		if m.did != "" {
			a.say = m.did
		}
	}
}

// selected is the key that is chosen, if there is one.
func (s *sshKeys) selected() (SSHKey, bool) {
	if len(s.got.Keys) == 0 {
		return SSHKey{}, false
	}
	return s.got.Keys[min(s.list.sel, len(s.got.Keys)-1)], true
}

func (s *sshKeys) key(a *app, k tea.KeyPressMsg) (tea.Cmd, bool) {
	chosen, any := s.selected()
	switch {
	case key.Matches(k, keys.Leave):
		s.open = false
	case key.Matches(k, keys.AddKey):
		l := newLine("", false)
		l.most = maxSecret // an RSA key is long
		s.add = &l
	case key.Matches(k, keys.RemoveKey, keys.Role) && !any:
		a.say = "There is no key yet; a adds one."
	case key.Matches(k, keys.RemoveKey):
		text := "Remove " + keyName(chosen) + "? It lets in no more, and its sessions end."
		if len(s.got.Keys) == 1 {
			text = "Remove " + keyName(chosen) + "? It is the last one: without a password nobody gets in over SSH any more."
		}
		a.qu = yesNo(text, "remove", "keep", func() tea.Cmd {
			return s.change(a, keyName(chosen)+" was removed.", func(l SSHKeys) error { return l.Remove(chosen.Fingerprint) })
		})
	case key.Matches(k, keys.Role):
		other := chosen
		other.Operator = !chosen.Operator
		text := "Make " + keyName(chosen) + " an installer's, who may do everything?"
		if other.Operator {
			text = "Make " + keyName(chosen) + " an operator's, who may look, retry and fire?"
		}
		a.qu = yesNo(text+" Its sessions end.", "yes", "no", func() tea.Cmd {
			return s.change(a, keyName(chosen)+" is an "+other.role()+"'s now.", func(l SSHKeys) error { return l.Mark(chosen.Fingerprint, other.Operator) })
		})
	default:
		return nil, s.list.key(k, len(s.got.Keys), 8)
	}
	return nil, true
}

// keyName is a key in a sentence.
func keyName(k SSHKey) string {
	short := clean(k.Fingerprint)
	if len(short) > 19 {
		short = short[:19] + "..."
	}
	if k.Comment != "" {
		return clean(k.Comment) + " (" + short + ")"
	}
	return short
}

// typing takes a key while one is being added.
func (s *sshKeys) typing(a *app, k tea.KeyPressMsg) bool {
	switch {
	case key.Matches(k, keys.Leave):
		s.add = nil
	case key.Matches(k, keys.Enter):
		s.take(a, s.add.String())
	case key.Matches(k, keys.Empty):
		s.add.text, s.add.pos = nil, 0
	case k.Text != "" && !k.Mod.Contains(tea.ModAlt) && !k.Mod.Contains(tea.ModCtrl):
		if !s.add.insert(k.Text) {
			a.say = "This is longer than a key."
		}
	case s.add.key(k.String()):
	default:
		return k.String() == "up" || k.String() == "down" || k.String() == "tab" || k.String() == "shift+tab"
	}
	return true
}

// take judges what was typed or pasted and asks as whose it is to be added.
func (s *sshKeys) take(a *app, text string) {
	found, err := a.keys.Judge(text)
	if err != nil {
		a.say = because(err)
		return
	}
	what := keyName(found[0])
	if len(found) > 1 {
		what = plural(len(found), "key")
	}
	add := func(operator bool) func() tea.Cmd {
		return func() tea.Cmd {
			s.add = nil
			return s.change(a, what+" may log in as an "+SSHKey{Operator: operator}.role()+" now.", func(l SSHKeys) error { return l.Add(text, operator) })
		}
	}
	a.qu = &question{"Let in " + what + "? An installer may do everything, an operator look, retry and fire.", []option{
		{"i", "as installer", add(false)}, {"o", "as operator", add(true)}, {"n", "no", nil},
	}}
}

func (s *sshKeys) paste(a *app, text string) tea.Cmd {
	s.take(a, text)
	if a.qu == nil { // to be looked at
		s.add.insert(strings.Join(strings.Fields(text), " "))
	}
	return nil
}

func (s *sshKeys) bindings() []key.Binding {
	if s.add != nil {
		return []key.Binding{bind("enter", "add", "enter"), bind("esc", "do not", "esc"), keys.Empty}
	}
	return []key.Binding{keys.AddKey, keys.Role, keys.RemoveKey, bind("esc", "fields", "esc"), keys.Quit}
}

func (s *sshKeys) hint() string {
	switch {
	case s.add != nil:
		return "Paste the content of a .pub file, a line that begins with ssh-ed25519 or the like, then Enter."
	case len(s.got.Problems) > 0:
		return clean(s.got.Problems[0])
	}
	return "Compare the box's own fingerprint at the first log-in. o: operator (looks, retries, fires) or installer."
}

// body draws the list.
func (s *sshKeys) body(a *app, w, h int) ([]string, *tea.Position) {
	var lines []string
	for _, way := range a.status.Ways {
		if way.Kind == "ssh" {
			state := clean(way.State)
			if way.How != "" {
				state = clean(way.How)
			}
			if way.Name != "" && way.State != "closed" {
				state = clean(way.Name) + ", " + state
			}
			lines = append(lines, cut("  "+fit("SSH", 16)+state, w-1))
		}
	}
	own := s.got.Host
	if own == "" && s.known && s.why == "" {
		own = "made when SSH first runs"
	}
	lines = append(lines, cut("  "+fit("This box", 16)+clean(own), w-1), "")
	var cursor *tea.Position
	if s.add != nil {
		head := " " + mark(true) + fit("New key", 16)
		text, at := s.add.view(w - width(head) - 2)
		cursor = &tea.Position{X: width(head) + at, Y: len(lines)}
		lines = append(lines, cut(head+text, w-1), "")
	}
	switch {
	case !s.known:
		lines = append(lines, "  Reading the keys.")
	case s.why != "":
		lines = append(lines, place(s.why, w, 4)...)
	case len(s.got.Keys) == 0:
		lines = append(lines, place("No key may log in yet; a adds one: paste the .pub file of whoever is to come in.", w, 3)...)
	default:
		rows := max(1, h-len(lines))
		var all []string
		for _, k := range s.got.Keys {
			all = append(all, fmt.Sprintf("%-9s  %s  %s", k.role(), clean(k.Fingerprint), clean(k.Comment)))
		}
		lines = append(lines, s.list.draw(all, w, rows)...)
	}
	return lines[:min(len(lines), h)], cursor
}
