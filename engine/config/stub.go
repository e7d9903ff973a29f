package config

// The rest of this package's surface, to be moved to files of its own and implemented.

// Field is one entry of the field table.
type Field struct {
	Key     string // dotted; "triggers.*.threshold" stands for each trigger's, "mail.destinations.*" for each destination's
	Label   string // at most 15 columns: "SMTP server"
	Help    string // one line for the help line, at most 76 columns where it can be
	Default string // as text; empty where there is none
	Secret  bool   // kept in secrets.yaml, never shown
	Choices []string
	// Check judges one value alone, as it is being typed.
	Check func(raw string) Verdict
}

// Fields returns the field table in the order of the file.
func Fields() []Field { return nil }

// Lookup returns the field that key stands for: smtp.port, mail.destinations.2, triggers.yard.threshold.
func Lookup(key string) (Field, bool) { return Field{}, false }

// Default returns the configuration that an empty file stands for.
func Default() Config { return Config{} }

// Validate judges a whole configuration, cross-field rules too. Warnings and errors only.
func Validate(c Config, s Secrets) []Finding { return nil }

// Draft is a configuration being edited: it holds whatever has been typed, right or wrong.
type Draft struct{}

// NewDraft starts from the configuration in force. secretSet says which secrets
// are set, without their values.
func NewDraft(base Settings) *Draft { return &Draft{} }

// Raw returns the text of a field: what was typed, else the base's value; a secret
// that was not typed is empty (see SecretSet).
func (d *Draft) Raw(key string) string { return "" }

// SecretSet reports whether a secret has a value, saved or typed.
func (d *Draft) SecretSet(key string) bool { return false }

// Set changes a field's text. Setting the base's text again makes it unchanged.
func (d *Draft) Set(key, raw string) {}

// Verdict judges a field within the whole draft: its own check, then cross-field rules.
func (d *Draft) Verdict(key string) Verdict { return Verdict{} }

// Changed reports whether key, or for "" anything, differs from the base.
func (d *Draft) Changed(key string) bool { return false }

// Changes returns what differs, in the order of the field table, ready for Apply.
func (d *Draft) Changes() []Change { return nil }

// Blocking returns the first finding that blocks a save (Error or Incomplete), or false.
func (d *Draft) Blocking() (Finding, bool) { return Finding{}, false }

// Rebase puts the draft's changes on top of a newer configuration and returns
// the keys that were changed on both sides.
func (d *Draft) Rebase(base Settings) (conflicts []string) { return nil }

// File is a configuration file with its secrets file, held open for change.
type File struct{}

// Loaded is what a file holds.
type Loaded struct {
	Config   Config
	Secrets  Secrets
	Revision string
	Findings []Finding // warnings too; any Error means that Config must not be used
}

// DefaultPath is /etc/watchpost/watchpost.yaml for root, else under $XDG_CONFIG_HOME.
func DefaultPath() string { return "" }

// Open names a configuration file; nothing is read yet. Missing is valid: unconfigured.
func Open(path string) *File { return &File{} }

// Path returns the file's path.
func (f *File) Path() string { return "" }

// Load reads and judges the file and its secrets.
func (f *File) Load() (Loaded, error) { return Loaded{}, nil }

// LoadGood reads the last good copy; false where there is none.
func (f *File) LoadGood() (Loaded, bool) { return Loaded{}, false }

// MarkGood keeps a copy of what the file holds now, which has just been put in
// force, as the last good one; the one before it becomes the one that Revert returns to.
func (f *File) MarkGood() error { return nil }

// Save applies changes to the file, keeping comments and order, and writes it
// (and the secrets file where a secret changed) durably. With a finding of level
// Error nothing is written and ErrRefused returned.
func (f *File) Save(changes []Change) (Loaded, error) { return Loaded{}, nil }

// Revert writes the last good configuration before the present one and loads it.
func (f *File) Revert() (Loaded, error) { return Loaded{}, nil }

// CanRevert reports whether there is one.
func (f *File) CanRevert() bool { return false }

// PatchFor returns the configuration that base plus changes gives, for a diagnosis
// of what is not saved. Nothing is written.
func PatchFor(c Config, s Secrets, changes []Change) (Config, Secrets, []Finding) {
	return c, s, nil
}
