package pbx

import (
	"fmt"
	"time"
)

// mailWords are what an e-mail about a message says in a language.
type mailWords struct {
	subject, hidden, date, text, dial, attached string
}

var mailTexts = map[string]mailWords{
	"ru": {"Голосовое сообщение от %s", "скрытого номера", "02.01.2006", "Новое голосовое сообщение.\n\nДля: %s\nОт кого: %s\nКогда: %s\nДлительность: %s\n",
		"\nПрослушать с телефона: наберите %s.\n", "\nЗапись приложена к письму.\n"},
	"en": {"Voice message from %s", "a hidden number", "2 January 2006", "There is a new voice message.\n\nFor: %s\nFrom: %s\nWhen: %s\nLength: %s\n",
		"\nTo listen by phone dial %s.\n", "\nThe sound is attached.\n"},
}

// MessageMail is the e-mail that tells the owner of a box of a message in it, in the
// language and the time zone of the company. It is a pure function.
func MessageMail(c *Company, to string, m VoiceMessage) Mail {
	words := mailTexts[c.Language()]
	from := named(m.From)
	switch name := named(m.Name); {
	case from == Anonymous || from == "":
		from = words.hidden
	case name != "" && name != from:
		from = name + " (" + from + ")"
	}
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		zone = time.UTC
	}
	at := m.At.In(zone)
	owner, code := m.Box, "*98"+m.Box
	if e := c.Extensions[m.Box]; e != nil {
		code = "*97"
		if name := named(e.Name); name != "" {
			owner = name + " (" + m.Box + ")"
		}
	} else if g := c.Groups[m.Box]; g != nil {
		if name := named(g.Name); name != "" {
			owner = name + " (" + m.Box + ")"
		}
	}
	seconds := int(m.Seconds + 0.5)
	mail := Mail{
		To:      to,
		Subject: fmt.Sprintf(words.subject, from),
		Text: fmt.Sprintf(words.text, owner, from, at.Format(words.date+" 15:04:05 MST"), fmt.Sprintf("%d:%02d", seconds/60, seconds%60)) +
			fmt.Sprintf(words.dial, code) + words.attached,
		Sound: &MailSound{Recording: m.ID, Name: "voicemail-" + m.Box + "-" + at.Format("20060102-150405")},
	}
	if b := c.Box(m.Box); b != nil {
		mail.Sound.Remove = b.Mailed
	}
	return mail
}
