package call

import (
	"context"

	"vpbx/pbx"
)

// voicePhrases are what voicemail says in a language. Digits in them are said as digits.
type voicePhrases struct {
	away, full, saved                       string // to who leaves a message
	pin, wrongPIN, locked                   string
	counts, none, noMore                    string
	envelope, internal, hidden              string // of a message
	afterMessage, menu, deleted, kept       string
	options, speak, reviewed, greeted, back string
	newPIN, repeatPIN, differs, changed     string
	noSound                                 string
}

var voiceTexts = map[string]voicePhrases{
	"ru": {
		away:         "Абонент {box:digits} не может ответить. Оставьте сообщение после сигнала.",
		full:         "Почтовый ящик переполнен.",
		saved:        "Сообщение сохранено.",
		pin:          "Введите пин-код и решётку.",
		wrongPIN:     "Неверный пин-код.",
		locked:       "Доступ закрыт. Попробуйте позже.",
		counts:       "Новых сообщений: {new:number}. Прослушанных: {old:number}.",
		none:         "Сообщений нет.",
		noMore:       "Больше сообщений нет.",
		envelope:     "Сообщение {n:number}. {day:date}, {time:time}. Номер {from:phone}.",
		internal:     "Сообщение {n:number}. {day:date}, {time:time}. Номер {from:digits}.",
		hidden:       "Сообщение {n:number}. {day:date}, {time:time}. Номер скрыт.",
		afterMessage: "Ещё раз: один. Предыдущее: четыре. Следующее: шесть. Удалить: семь. Сохранить: девять. Настройки: ноль.",
		menu:         "Прослушать сообщения: один. Настройки: ноль. Завершить: решётка.",
		deleted:      "Удалено.",
		kept:         "Сохранено.",
		options:      "Записать приветствие: один. Стандартное приветствие: два. Сменить пин-код: три. Назад: звёздочка.",
		speak:        "Говорите после сигнала. По окончании нажмите решётку.",
		reviewed:     "Сохранить: один. Записать заново: два. Отменить: звёздочка.",
		greeted:      "Приветствие сохранено.",
		back:         "Стандартное приветствие.",
		newPIN:       "Введите новый пин-код и решётку.",
		repeatPIN:    "Повторите пин-код.",
		differs:      "Пин-код не подходит.",
		changed:      "Пин-код изменён.",
		noSound:      "Сообщение недоступно.",
	},
	"en": {
		away:         "The subscriber at {box:digits} is not available. Leave a message after the tone.",
		full:         "The mailbox is full.",
		saved:        "Your message has been saved.",
		pin:          "Enter your PIN, then pound.",
		wrongPIN:     "Wrong PIN.",
		locked:       "Access is locked. Try again later.",
		counts:       "New messages: {new:number}. Old messages: {old:number}.",
		none:         "There are no messages.",
		noMore:       "There are no more messages.",
		envelope:     "Message {n:number}. {day:date}, {time:time}. From {from:phone}.",
		internal:     "Message {n:number}. {day:date}, {time:time}. From {from:digits}.",
		hidden:       "Message {n:number}. {day:date}, {time:time}. From a hidden number.",
		afterMessage: "To listen again press one. Previous: four. Next: six. To delete press seven. To keep press nine. Options: zero.",
		menu:         "To listen to messages press one. Options: zero. To finish press pound.",
		deleted:      "Deleted.",
		kept:         "Kept.",
		options:      "To record a greeting press one. For the standard greeting press two. To change your PIN press three. To go back press star.",
		speak:        "Speak after the tone. When you have finished press pound.",
		reviewed:     "To keep press one. To record again press two. To cancel press star.",
		greeted:      "The greeting has been saved.",
		back:         "Standard greeting.",
		newPIN:       "Enter the new PIN, then pound.",
		repeatPIN:    "Enter the PIN again.",
		differs:      "The PIN cannot be used.",
		changed:      "The PIN has been changed.",
		noSound:      "The message is not available.",
	},
}

// voice gives the texts of voicemail in the language of the company.
func (c *Call) voice() voicePhrases { return voiceTexts[c.company.Language()] }

// spokenText makes a sound of a text of ours, a short tone where there are no words for
// it: the record says so once. An error means that the call is over.
func (c *Call) spokenText(text string, values map[string]string) (sound, error) {
	if c.speechless {
		return sound{p: c.m.prompts.ask()}, nil
	}
	type loaded struct {
		sound
		err error
	}
	l, err := await(c, func(ctx context.Context) loaded {
		p, err := c.m.Library.Load(ctx, c.company, &pbx.Prompt{Name: "voicemail", Text: text},
			func(name string) (string, bool) { v, ok := values[name]; return v, ok })
		return loaded{sound{p: p}, err}
	})
	if err != nil {
		return sound{}, err
	}
	if l.err != nil {
		c.log.Info("voicemail cannot speak", "error", l.err)
		c.why("voicemail speaks in tones only" + reason(l.err))
		c.speechless = true
		return sound{p: c.m.prompts.ask()}, nil
	}
	return l.sound, nil
}

// say plays a text of ours; keys do not end it.
func (c *Call) say(text string, values map[string]string) error {
	s, err := c.spokenText(text, values)
	if err != nil {
		return err
	}
	_, err = c.collect(collect{sounds: []sound{s}})
	return err
}
