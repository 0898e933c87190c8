package law

import "vpbx/pbx"

// texts are the reasons that a verdict has, in English and in Russian.
var texts = map[pbx.HoldReason][2]string{
	pbx.HeldStopList:  {"The number is on a stop list.", "Номер в стоп-листе."},
	pbx.HeldNoConsent: {"There is no record that the callee has agreed to be called.", "Нет записи о согласии абонента на звонки."},
	pbx.HeldWindow:    {"It is outside the hours of the campaign or of the law where the callee is.", "Сейчас вне часов кампании или разрешённых законом по времени абонента."},
	pbx.HeldNoWindow:  {"The hours of the campaign and of the law never meet where the callee may be.", "Часы кампании и часы, разрешённые законом, не пересекаются по времени абонента."},
	pbx.HeldDebtDay:   {"The debtor was reached as often as a day allows.", "Исчерпано число контактов с должником за сутки."},
	pbx.HeldDebtWeek:  {"The debtor was reached as often as a week allows.", "Исчерпано число контактов с должником за неделю."},
	pbx.HeldDebtMonth: {"The debtor was reached as often as a month allows.", "Исчерпано число контактов с должником за месяц."},
	pbx.HeldContacts:  {"The callee was called as often as the law allows.", "Исчерпано разрешённое законом число звонков абоненту."},
	pbx.HeldAbandoned: {"The last call was abandoned; a machine does not dial the number again so soon.", "Последний вызов остался без оператора; машина не набирает номер так скоро."},
	pbx.HeldSilent:    {"The last call ended in silence; a machine does not dial the number again so soon.", "Последний вызов закончился молчанием; машина не набирает номер так скоро."},
	pbx.HeldAdvert:    {"Advertising to this country needs an operator who speaks.", "Реклама в этой стране допустима только с участием оператора."},
	pbx.HeldCountry:   {"The country of the number is unknown, and so is its law.", "Страна номера неизвестна, а значит, и её закон."},
	pbx.HeldLabel:     {"The number shown needs a label, and it has none or one that is too long.", "Показываемому номеру нужна маркировка, а её нет или она слишком длинна."},
}

// Text says a reason of a verdict in English and in Russian; "" for other reasons.
func Text(r pbx.HoldReason) (english, russian string) {
	t := texts[r]
	return t[0], t[1]
}
