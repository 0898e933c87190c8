package tenants

import (
	"encoding/json"
	"net/mail"
	"time"

	"vpbx/internal/strict"
	"vpbx/pbx"
)

// Voicemail is the box of an extension or a group. It is written true, or as a map.
type Voicemail struct {
	Off      bool     // written false: there is none
	PIN      *string  // left out: stays what it is; "": none
	Greeting string   // prompt
	Max      Duration // of one message, 0: 3m
	Messages int      // at most, 0: 100
	Silence  Duration // that ends a message, 0: 10s
	Keep     *Days    // of a message, left out: 30d; 0d: for ever
	Email    string   // that messages go to, "": that of the extension
	Delete   bool     // a message that was sent by e-mail is removed
}

// boxMap is the form of a map.
type boxMap struct {
	PIN      *string  `yaml:"pin" json:"pin,omitempty"`
	Greeting string   `yaml:"greeting" json:"greeting,omitempty"`
	Max      Duration `yaml:"max" json:"max,omitzero"`
	Messages int      `yaml:"messages" json:"messages,omitempty"`
	Silence  Duration `yaml:"silence" json:"silence,omitzero"`
	Keep     *Days    `yaml:"keep" json:"keep,omitempty"`
	Email    string   `yaml:"email" json:"email,omitempty"`
	Delete   bool     `yaml:"delete_after_mail" json:"delete_after_mail,omitempty"`
}

// UnmarshalStrict reads either form.
func (v *Voicemail) UnmarshalStrict(n strict.Node) {
	if n.Kind() == strict.Scalar {
		var on bool
		n.Decode(&on)
		v.Off = !on
		return
	}
	var m boxMap
	n.Decode(&m)
	*v = Voicemail{PIN: m.PIN, Greeting: m.Greeting, Max: m.Max, Messages: m.Messages, Silence: m.Silence, Keep: m.Keep, Email: m.Email, Delete: m.Delete}
}

// MarshalJSON writes the shorter form where it says all.
func (v Voicemail) MarshalJSON() ([]byte, error) {
	m := boxMap{v.PIN, v.Greeting, v.Max, v.Messages, v.Silence, v.Keep, v.Email, v.Delete}
	if v.Off || m == (boxMap{}) {
		return json.Marshal(!v.Off)
	}
	return json.Marshal(m)
}

// Bounds of a box.
const (
	minMessage  = 5 * time.Second
	maxMessage  = 10 * time.Minute
	minSilence  = 2 * time.Second
	maxSilence  = time.Minute
	maxMessages = 1000
)

func (c *checker) checkVoicemail(path string, v *Voicemail) {
	if v == nil || v.Off {
		return
	}
	c.checkPIN(path+".pin", v.PIN)
	c.checkPromptName(path+".greeting", v.Greeting)
	if i, ok := c.prompts[v.Greeting]; ok {
		c.checkConstant(path+".greeting", c.Prompts[i])
	}
	c.duration(path+".max", v.Max, minMessage, maxMessage)
	c.duration(path+".silence", v.Silence, minSilence, maxSilence)
	if v.Messages < 0 || v.Messages > maxMessages {
		c.note(path+".messages", "must be 1 to %d", maxMessages)
	}
	if v.Keep != nil && *v.Keep != 0 && (time.Duration(*v.Keep) < minKeep || time.Duration(*v.Keep) > maxKeep) {
		c.note(path+".keep", "%s; from 1h to %dd, or 0d to keep them for ever", *v.Keep, maxDays)
	}
	c.checkEmail(path+".email", v.Email)
}

// checkMailed notes a box whose messages are to be removed when they were sent, and that
// has no address.
func (c *checker) checkMailed(path string, v *Voicemail, email string) {
	if v != nil && v.Delete && v.Email == "" && email == "" {
		c.note(path+".delete_after_mail", "needs an email")
	}
}

func (c *checker) checkEmail(path, email string) {
	if email == "" {
		return
	}
	if a, err := mail.ParseAddress(email); err != nil || a.Address != email || len(email) > maxEmail {
		c.note(path, "not an e-mail address")
	}
}

// hasBox tells whether an extension or a group has voicemail.
func (c *checker) hasBox(number string) bool {
	on := func(v *Voicemail) bool { return v != nil && !v.Off }
	if i, ok := c.extensions[number]; ok {
		return on(c.Extensions[i].Voicemail)
	}
	i, ok := c.groups[number]
	return ok && on(c.Groups[i].Voicemail)
}

// forwardsToBox tells whether a forward leads to the box of the extension itself.
func (c *checker) forwardsToBox(own, target string) bool {
	return target == ownBox && c.hasBox(own)
}

// box is the stored form. was is the box before, whose PIN stays where the document does
// not give one, or the same.
func (b *build) box(path string, v *Voicemail, was *pbx.Box) *pbx.Box {
	if v == nil || v.Off {
		return nil
	}
	x := &pbx.Box{Greeting: v.Greeting, Max: time.Duration(v.Max), Messages: v.Messages, Silence: time.Duration(v.Silence),
		Keep: pbx.BoxKeep, Email: v.Email, Mailed: v.Delete}
	if v.Keep != nil {
		x.Keep = time.Duration(*v.Keep)
	}
	had := ""
	if was != nil {
		had = was.PIN
	}
	switch {
	case v.PIN == nil:
		x.PIN = had
	case *v.PIN == "":
	case pbx.KnowsPIN(had, *v.PIN):
		x.PIN = had
	default:
		hash, err := pbx.HashPIN(*v.PIN)
		if err != nil {
			b.note(path+".pin", "cannot be kept: %v", err)
		}
		x.PIN = hash
	}
	return x
}

// oldBox gives the box of an extension or a group as it was.
func (b *build) oldBox(number string) *pbx.Box {
	if b.old == nil {
		return nil
	}
	return b.old.Box(number)
}

// documentBox leaves out the PIN, so that applied again it stays.
func documentBox(b *pbx.Box) *Voicemail {
	if b == nil {
		return nil
	}
	v := &Voicemail{Greeting: b.Greeting, Max: Duration(b.Max), Messages: b.Messages, Silence: Duration(b.Silence), Email: b.Email, Delete: b.Mailed}
	if b.Keep != pbx.BoxKeep {
		keep := Days(b.Keep)
		v.Keep = &keep
	}
	return v
}

// ownBox is what a forward says for the voicemail of the extension.
const ownBox = "voicemail"
