package pbx

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Party says who made something end.
type Party string

// The parties of a cause.
const (
	PartyCaller Party = "caller"
	PartyCallee Party = "callee"
	PartyTrunk  Party = "trunk"
	PartyPBX    Party = "pbx"
	PartyCRM    Party = "crm"
	PartyMedia  Party = "media"
)

// Reason is why a leg or a call ended: a closed set, so that records, metrics
// and texts agree.
type Reason string

// The reasons.
const (
	Hangup         Reason = "hangup"          // an answered call was hung up
	Cancelled      Reason = "cancelled"       // the caller gave up before the answer
	Busy           Reason = "busy"            // 486, 600
	Declined       Reason = "declined"        // 603, 403 of a phone
	Blocked        Reason = "blocked"         // 608, 603 Network Blocked: the network took it for an unwanted call
	NoAnswer       Reason = "no_answer"       // rang for its time
	Unconfirmed    Reason = "unconfirmed"     // answered, and did not press the key that takes the call
	UnknownNumber  Reason = "unknown_number"  // nobody has that number
	Unregistered   Reason = "unregistered"    // no phone of the callee is registered
	NoCodec        Reason = "no_codec"        // 488: the two sides share no codec
	NoSRTP         Reason = "no_srtp"         // 488: one side must secure its sound, or must not, and the other does otherwise
	NoMedia        Reason = "no_media"        // no RTP came any more
	NoACK          Reason = "no_ack"          // our 200 was never acknowledged
	NoReply        Reason = "no_reply"        // the peer did not answer our request (408)
	SessionExpired Reason = "session_expired" // RFC 4028: not refreshed in time
	Elsewhere      Reason = "elsewhere"       // another phone answered (RFC 3326)
	SentOn         Reason = "transferred"     // it was sent on by whom it talked with
	Joined         Reason = "joined"          // it went on in another call
	Refused        Reason = "refused"         // another final failure of the peer
	Forbidden      Reason = "forbidden"       // our rules do not allow that call
	Rejected       Reason = "rejected"        // a rule rejected the call
	NoRoute        Reason = "no_route"        // no rule and no trunk for it
	OverLimit      Reason = "over_limit"      // a limit of the company is reached
	Premium        Reason = "premium"         // a premium-rate number, which our rules do not allow
	NoChoice       Reason = "no_choice"       // the caller chose nothing in a menu
	WrongPIN       Reason = "wrong_pin"       // who wanted into a conference did not know its PIN
	Spent          Reason = "spent"           // what may be spent in a day is spent
	NoPrompt       Reason = "no_prompt"       // what was to be said cannot be made ready: nobody was called
	Unanswered     Reason = "operator_missed" // the operator for whom a number was to be called did not answer, or has skipped it
	NoPorts        Reason = "no_ports"        // the media port range is used up
	Overloaded     Reason = "overloaded"      // the machine has no room for more sound of that kind
	BadRequest     Reason = "bad_request"     // the peer sent what cannot be used
	TooLong        Reason = "too_long"        // the longest call we allow
	ShuttingDown   Reason = "shutting_down"   // the process is being stopped
	Interrupted    Reason = "interrupted"     // the process died under the call
	Broken         Reason = "internal"        // our fault
)

// Cause is how something ended: who, why, and the codes for it. The zero Cause
// means that nothing ended.
type Cause struct {
	Party  Party  `json:"party"`
	Reason Reason `json:"reason"`
	SIP    int    `json:"sip"`  // status code, 200 for a call that was hung up
	Q850   int    `json:"q850"` // ITU-T Q.850 cause value
}

// NewCause gives the cause for a reason with the SIP and Q.850 codes that
// belong to it.
func NewCause(p Party, r Reason) Cause {
	t := reasons[r]
	return Cause{Party: p, Reason: r, SIP: t.sip, Q850: t.q850}
}

// FromSIP gives the cause for a final response of a peer (RFC 3398 §8.2.6.1
// for the Q.850 value).
func FromSIP(p Party, status int) Cause {
	c := Cause{Party: p, SIP: status, Reason: Refused, Q850: q850(status)}
	switch {
	case status >= 200 && status < 300:
		c.Reason = Hangup
	case status == 486 || status == 600:
		c.Reason = Busy
	case status == 603 || status == 607:
		c.Reason = Declined
	case status == 608: // RFC 8688
		c.Reason = Blocked
	case status == 404 || status == 604 || status == 484:
		c.Reason = UnknownNumber
	case status == 480:
		c.Reason = NoAnswer
	case status == 408 || status == 504:
		c.Reason = NoReply
	case status == 487:
		c.Reason = Cancelled
	case status == 488 || status == 606 || status == 415:
		c.Reason = NoCodec
	}
	return c
}

// q850 maps a SIP status to a Q.850 value (RFC 3398 §8.2.6.1).
func q850(status int) int {
	switch status {
	case 400, 481, 500, 501, 503, 502:
		return 41 // temporary failure
	case 401, 402, 403, 407, 603, 607, 608: // the telephone network has no other value for 607 and 608
		return 21 // call rejected
	case 404, 604:
		return 1 // unallocated number
	case 405:
		return 63
	case 406, 415, 488, 606:
		return 79
	case 408, 504:
		return 102
	case 410:
		return 22
	case 413, 414, 416, 420, 421, 423, 505, 513:
		return 127
	case 480:
		return 18
	case 482, 483:
		return 25
	case 484:
		return 28
	case 485:
		return 1
	case 486, 600:
		return 17
	}
	if status >= 200 && status < 300 {
		return 16
	}
	return 31
}

type reasonText struct {
	sip, q850 int
	en, ru    string
}

// reasons is the one table of what a reason means outside: the codes we send
// and the words we show. %s is the party.
var reasons = map[Reason]reasonText{
	Hangup:         {200, 16, "%s hung up", "%s положил трубку"},
	Cancelled:      {487, 16, "%s gave up before the answer", "%s положил трубку до ответа"},
	Busy:           {486, 17, "%s was busy", "%s: занято"},
	Declined:       {603, 21, "%s declined the call", "%s отклонил вызов"},
	Blocked:        {608, 21, "%s blocked the call as an unwanted one", "%s заблокировал вызов как нежелательный"},
	NoAnswer:       {480, 19, "%s did not answer", "%s не ответил"},
	Unconfirmed:    {480, 19, "%s answered and did not take the call by the key", "%s: ответ без подтверждения клавишей"},
	UnknownNumber:  {404, 1, "the number is not known", "номер не существует"},
	Unregistered:   {480, 20, "no phone of the called number is registered", "телефон вызываемого номера не зарегистрирован"},
	NoCodec:        {488, 79, "the two sides share no codec", "у сторон нет общего кодека"},
	NoSRTP:         {488, 79, "%s and the PBX do not agree on SRTP", "%s и АТС не договорились о шифровании звука"},
	NoMedia:        {408, 102, "no sound came any more", "пропал звук"},
	NoACK:          {408, 102, "%s never confirmed the answer", "%s не подтвердил ответ"},
	NoReply:        {408, 102, "%s did not reply", "%s не отвечает на запросы"},
	SessionExpired: {408, 102, "%s stopped keeping the session alive", "%s перестал подтверждать сеанс"},
	Elsewhere:      {200, 26, "another phone answered", "ответил другой телефон"},
	SentOn:         {200, 16, "%s transferred the call", "%s перевёл вызов"},
	Joined:         {200, 16, "the call went on as part of another", "разговор продолжился в другом вызове"},
	Refused:        {500, 31, "%s refused the call", "%s не принял вызов"},
	Forbidden:      {403, 21, "this call is not allowed", "такой вызов запрещён"},
	Rejected:       {603, 21, "a rule rejected the call", "вызов отклонён правилом"},
	NoRoute:        {404, 3, "there is no way to the called number", "нет маршрута к набранному номеру"},
	OverLimit:      {503, 34, "a limit of the company is reached", "достигнут лимит компании"},
	Premium:        {403, 21, "calls to premium-rate numbers are not allowed", "вызовы на платные номера запрещены"},
	NoChoice:       {480, 16, "the caller chose nothing in the menu", "звонивший ничего не выбрал в меню"},
	WrongPIN:       {403, 21, "the PIN of the conference was not given", "не введён верный PIN-код конференции"},
	Spent:          {403, 21, "the day's limit of spending was reached", "достигнут дневной лимит расходов на связь"},
	NoPrompt:       {500, 41, "what was to be said could not be made ready", "не удалось подготовить сообщение"},
	Unanswered:     {480, 19, "the operator did not take it, and the number was not called", "оператор не взялся за звонок, и номер не набирали"},
	NoPorts:        {503, 34, "no media port is free", "нет свободных портов для звука"},
	Overloaded:     {503, 42, "the PBX had no room for another call", "АТС перегружена"},
	BadRequest:     {400, 95, "%s sent a request that cannot be used", "%s прислал непригодный запрос"},
	TooLong:        {200, 31, "the call reached the longest time allowed", "достигнута предельная длительность вызова"},
	ShuttingDown:   {503, 41, "the PBX was being stopped", "АТС останавливалась"},
	Interrupted:    {500, 41, "the PBX was interrupted", "работа АТС прервалась"},
	Broken:         {500, 41, "an error inside the PBX", "внутренняя ошибка АТС"},
}

var parties = map[Party][2]string{
	PartyCaller: {"the caller", "вызывающий"},
	PartyCallee: {"the called party", "вызываемый"},
	PartyTrunk:  {"the trunk", "оператор связи"},
	PartyPBX:    {"the PBX", "АТС"},
	PartyCRM:    {"the CRM", "CRM"},
	PartyMedia:  {"the media path", "звуковой канал"},
}

// Text is a cause in words.
type Text struct {
	EN string `json:"en"`
	RU string `json:"ru"`
}

// Text tells the cause in English and Russian.
func (c Cause) Text() Text {
	t, p := reasons[c.Reason], parties[c.Party]
	return Text{EN: capital(strings.ReplaceAll(t.en, "%s", p[0])), RU: capital(strings.ReplaceAll(t.ru, "%s", p[1]))}
}

func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}
