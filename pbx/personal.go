package pbx

// Personal is what the owner of an extension has set by its phone. It stands
// beside the company document and survives its being applied again; only a
// document that changes the extension's forward takes Forward back.
type Personal struct {
	DND bool `json:"dnd,omitempty"` // do not disturb
	// Forward takes the place of Forward.Always: a number, or "" for no
	// forwarding. nil: the document holds.
	Forward *string `json:"forward,omitempty"`
	// Greeting is the SHA-256 of the greeting of its box that the owner has recorded,
	// PIN what [HashPIN] made of the PIN that the owner has set; "": the document holds.
	Greeting string `json:"greeting,omitempty"`
	PIN      string `json:"pin,omitempty"`
}

// On is what makes a call to an extension go on to another number.
type On string

// What an extension can forward on.
const (
	OnAlways       On = "always"
	OnBusy         On = "busy"
	OnNoAnswer     On = "no_answer"
	OnUnregistered On = "unregistered"
	OnFollow       On = "follow" // not as a forward: its owner is looked for elsewhere
)

// DND tells whether the owner does not want to be disturbed.
func (e *Extension) DND() bool { return e.Personal != nil && e.Personal.DND }

// ForwardOn tells where a call to the extension goes on, "" when nowhere.
func (e *Extension) ForwardOn(on On) string {
	if p := e.Personal; on == OnAlways && p != nil && p.Forward != nil {
		return *p.Forward
	}
	f := e.Forward
	if f == nil {
		return ""
	}
	switch on {
	case OnAlways:
		return f.Always
	case OnBusy:
		return f.Busy
	case OnNoAnswer:
		return f.NoAnswer
	case OnUnregistered:
		return f.Unregistered
	}
	return ""
}

// SetDND switches "do not disturb".
func (e *Extension) SetDND(on bool) {
	p := e.personal()
	p.DND = on
	e.keep(p)
}

// SetForward forwards all calls to a number, "" to none.
func (e *Extension) SetForward(to string) {
	p := e.personal()
	p.Forward = &to
	if to == "" && (e.Forward == nil || e.Forward.Always == "") {
		p.Forward = nil
	}
	e.keep(p)
}

// SetGreeting keeps the greeting of the box, "" for the one of the document.
func (e *Extension) SetGreeting(sound string) {
	p := e.personal()
	p.Greeting = sound
	e.keep(p)
}

// SetPIN keeps the hash of the PIN of the box.
func (e *Extension) SetPIN(hash string) {
	p := e.personal()
	p.PIN = hash
	e.keep(p)
}

func (e *Extension) personal() Personal {
	if e.Personal == nil {
		return Personal{}
	}
	return *e.Personal
}

// keep replaces what was set; nothing set is nil, so that an extension that
// was set back is what it was before.
func (e *Extension) keep(p Personal) {
	e.Personal = &p
	if p == (Personal{}) {
		e.Personal = nil
	}
}
