package pbx

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// phrase is what a sentence says about somebody. {who} is who it is about,
// {sip} the status code; many is the Russian for more than one, "" where the
// form is the same.
type phrase struct{ en, ru, many string }

// phrases says of a reason, unlike the table of reasons, what somebody did. A
// reason that is not here is about nobody; its text is in that table.
var phrases = map[Reason]phrase{
	Hangup:         {"{who} hung up", "{who} положил трубку", "{who} положили трубку"},
	Cancelled:      {"{who} broke the call off", "{who} сбросил вызов", "{who} сбросили вызов"},
	Busy:           {"{who} {was} busy", "{who}: занято", ""},
	Declined:       {"{who} declined the call", "{who} отклонил вызов", "{who} отклонили вызов"},
	Blocked:        {"{who} blocked the call as an unwanted one", "{who}: вызов заблокирован как нежелательный", ""},
	NoAnswer:       {"{who} did not answer", "{who} не ответил", "{who} не ответили"},
	Unconfirmed:    {"{who} did not take the call by the key", "{who}: вызов не принят клавишей", ""},
	UnknownNumber:  {"the number {who} is not known", "номер {who} не существует", "номера {who} не существуют"},
	Unregistered:   {"no phone of {who} was registered", "ни один телефон {who} не был зарегистрирован", ""},
	NoCodec:        {"no codec was in common with {who}", "{who}: нет общего кодека", ""},
	NoSRTP:         {"{who} did not agree on SRTP", "{who}: не удалось договориться о шифровании звука", ""},
	NoMedia:        {"no sound came from {who} any more", "от {who} пропал звук", ""},
	NoACK:          {"{who} never confirmed the answer", "{who} не подтвердил ответ", "{who} не подтвердили ответ"},
	NoReply:        {"{who} did not reply", "{who} не отвечает на запросы", "{who} не отвечают на запросы"},
	SessionExpired: {"{who} stopped keeping the session alive", "{who} перестал подтверждать сеанс", "{who} перестали подтверждать сеанс"},
	SentOn:         {"{who} transferred the call", "{who} перевёл вызов", "{who} перевели вызов"},
	OverLimit:      {"{who} had no line free", "{who}: нет свободных линий", ""},
	Refused:        {"{who} refused the call (SIP {sip})", "{who} не принял вызов (SIP {sip})", "{who} не приняли вызов (SIP {sip})"},
	BadRequest:     {"{who} sent what cannot be used", "{who} прислал непригодное сообщение", "{who} прислали непригодные сообщения"},
}

// ofPBX says the reasons of phrases where it was the PBX that ended the call.
var ofPBX = map[Reason]phrase{
	Hangup:        {"the PBX ended the call", "АТС завершила вызов", ""},
	NoAnswer:      {"nobody answered", "никто не ответил", ""},
	Busy:          {"the PBX answered busy", "АТС ответила «занято»", ""},
	UnknownNumber: {"the number dialled is not known", "набранный номер не существует", ""},
	Joined:        {"it went on in another call", "разговор продолжился в другом вызове", ""},
	ShuttingDown:  {"the PBX was stopped", "АТС была остановлена", ""},
}

// unused says why the owner whom the CRM named was not called, by the end of
// the line that the plan gives for it.
var unused = map[string]phrase{
	"is not an extension": {", which is no extension", " (нет такого внутреннего номера)", ""},
	"is not registered":   {", of whom no phone was registered", " (ни один его телефон не был зарегистрирован)", ""},
	"is an exception":     {", who is an exception", " (исключение)", ""},
}

// leftRoom says how somebody left a conference other than by itself, by
// [CallEvent.Text].
var leftRoom = map[string]phrase{
	Removed:   {"{who} was removed from it", "{who}: удаление из конференции", ""},
	RoomEnded: {"the conference was ended", "конференция завершена", ""},
}

// lookups says how asking the CRM went, by [Lookup.Result]; what is not here
// is not worth a word.
var lookups = map[string]phrase{
	"not_found":  {"the CRM does not know the number", "CRM не знает номер", ""},
	"timeout":    {"the CRM did not answer in time", "CRM не ответила вовремя", ""},
	"error":      {"the CRM could not be asked", "не удалось спросить CRM", ""},
	"bad_answer": {"the CRM gave a broken answer", "CRM прислала непригодный ответ", ""},
	"breaker":    {"the CRM was not asked after its failures", "CRM не спросили из-за её сбоев", ""},
}

// say fills in a phrase.
func (p phrase) say(who []string, sip int) Text {
	ru := p.ru
	if len(who) > 1 && p.many != "" {
		ru = p.many
	}
	was := "was"
	if len(who) > 1 {
		was = "were"
	}
	en := strings.NewReplacer("{who}", list(who, " and "), "{was}", was, "{sip}", strconv.Itoa(sip))
	return Text{EN: en.Replace(p.en), RU: strings.NewReplacer("{who}", list(who, " и "), "{sip}", strconv.Itoa(sip)).Replace(ru)}
}

// list joins names as a sentence does: a, b and c.
func list(names []string, and string) string {
	n := len(names)
	if n < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:n-1], ", ") + and + names[n-1]
}

// in adds how long it took: "in 20 s", "за 20 секунд".
func (t Text) in(d time.Duration) Text {
	if s := span(d); s.EN != "" {
		return Text{t.EN + " in " + s.EN, t.RU + " за " + s.RU}
	}
	return t
}

// after adds when it was: "after 20 s", "через 20 секунд"; at once when it was
// less than a second.
func (t Text) after(d time.Duration) Text {
	if s := span(d); s.EN != "" {
		return Text{t.EN + " after " + s.EN, t.RU + " через " + s.RU}
	}
	return Text{t.EN + " at once", t.RU + " сразу"}
}

// plus puts another text behind it.
func (t Text) plus(s Text) Text { return Text{t.EN + s.EN, t.RU + s.RU} }

// lower begins a text that is to stand inside a sentence; abbreviations stay.
func lower(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	next, _ := utf8.DecodeRuneInString(s[n:])
	if unicode.IsUpper(next) {
		return s
	}
	return string(unicode.ToLower(r)) + s[n:]
}

// maxNamed bounds a name in a sentence, in runes.
const maxNamed = 60

// named makes a name that came from outside fit to stand in a sentence.
func named(s string) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, ""), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if r := []rune(s); len(r) > maxNamed {
		s = string(r[:maxNamed]) + "…"
	}
	return s
}
