package tui

import (
	"slices"

	"charm.land/bubbles/v2/key"
)

// operatorText answers an operator's key that would change something.
const operatorText = "Not with an operator's key: it may look, retry and fire."

// barred reports whether an operator may not do what a key of that name does now.
// The backend refuses it as well (Rights); this is so that he learns it at the key.
func (a *app) barred(name string) bool {
	if !a.rights.Operator {
		return false
	}
	has := func(bs ...key.Binding) bool {
		return slices.ContainsFunc(bs, func(b key.Binding) bool { return slices.Contains(b.Keys(), name) })
	}
	if has(keys.FieldTest, keys.FieldDiagnose, keys.FieldSave) {
		return true
	}
	if a.focusedEditor() != nil {
		// The filter of the Events page changes nothing; in a field of another page he
		// may move and read.
		return a.at != eventsAt && !has(keys.Next, keys.Prev, keys.Enter, keys.Leave, keys.PageUp, keys.PageDown, keys.First, keys.Last,
			keys.FieldHelp, keys.FieldQuit, keys.FieldPages)
	}
	if has(keys.Test, keys.Diagnose, keys.Save, keys.Privacy) {
		return true
	}
	switch a.at {
	case statusAt:
		return has(keys.Add)
	case mailAt:
		return has(keys.Good)
	case cameraAt:
		return has(keys.Zones)
	case triggersAt:
		return has(keys.AddTrigger, keys.AddTransfer, keys.Copy, keys.Delete, keys.MoveUp, keys.MoveDown, keys.Switch)
	case eventsAt:
		return has(keys.Remove, keys.RemoveAll)
	case queueAt:
		return has(keys.Drop)
	}
	return false
}

// offered are the bindings of which something may be done here.
func (a *app) offered(bs []key.Binding) []key.Binding {
	return slices.DeleteFunc(slices.Clone(bs), func(b key.Binding) bool { return len(b.Keys()) > 0 && a.barred(b.Keys()[0]) })
}
