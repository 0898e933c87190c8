package sounds

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"vpbx/media/audio"
	"vpbx/pbx"
	"vpbx/speech/words"
)

// Recorded phrases are prompts of a company that are named by what is said in them:
// say.ru.двадцать, say.ru.двадцать_второго, digits.ru.5.
const (
	sayPrefix    = "say."
	digitsPrefix = "digits."
	maxPhrase    = 6 // words of one
)

// Pauses between what stands on both sides of a sign.
const (
	shortPause = 150 * time.Millisecond
	longPause  = 350 * time.Millisecond
)

// digitWords are how digits are called when they are spelled.
var digitWords = map[words.Language][10]string{
	words.Russian: {"ноль", "один", "два", "три", "четыре", "пять", "шесть", "семь", "восемь", "девять"},
	words.English: {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"},
}

// token is a word, or the pause behind one.
type token struct {
	word  string
	pause time.Duration
}

// tokens cuts a text into words in lower case and pauses.
func tokens(text string) []token {
	var list []token
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			list = append(list, token{word: strings.ToLower(word.String())})
			word.Reset()
		}
	}
	for _, r := range text {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r):
			word.WriteRune(r)
		case r == '.' && word.Len() == 1: // a.m.
		default:
			flush()
			if pause := pauseOf(r); pause > 0 && len(list) > 0 {
				list[len(list)-1].pause = pause
			}
		}
	}
	flush()
	return list
}

func pauseOf(r rune) time.Duration {
	switch r {
	case ',', ';', ':', '—', '–':
		return shortPause
	case '.', '!', '?':
		return longPause
	}
	return 0
}

// phrases puts a text together from recorded phrases of a company, the longest ones
// first; false when one is missing.
func (l *Library) phrases(c *pbx.Company, language words.Language, text string) ([]source, bool) {
	if !hasPhrases(c, language) {
		return nil, false
	}
	list := tokens(text)
	var pieces []source
	for len(list) > 0 {
		p, n := phrase(c, language, list)
		if p == nil {
			return nil, false
		}
		s, err := l.source(c, p, nil)
		if err != nil {
			return nil, false
		}
		pieces = append(pieces, s)
		if pause := list[n-1].pause; pause > 0 && n < len(list) {
			pieces = append(pieces, silence(pause))
		}
		list = list[n:]
	}
	return pieces, len(pieces) > 0
}

func hasPhrases(c *pbx.Company, language words.Language) bool {
	for name := range c.Prompts {
		if strings.HasPrefix(name, sayPrefix+string(language)+".") || strings.HasPrefix(name, digitsPrefix+string(language)+".") {
			return true
		}
	}
	return false
}

// phrase finds the recording that says most of the first words.
func phrase(c *pbx.Company, language words.Language, list []token) (*pbx.Prompt, int) {
	for n := min(len(list), maxPhrase); n > 0; n-- {
		name := sayPrefix + string(language) + "."
		whole := true
		for i, t := range list[:n] {
			if i > 0 {
				name += "_"
				whole = whole && list[i-1].pause == 0
			}
			name += t.word
		}
		if p := recorded(c, name); p != nil && whole {
			return p, n
		}
		if p := recorded(c, strings.ReplaceAll(name, "ё", "е")); p != nil && whole {
			return p, n
		}
	}
	for digit, word := range digitWords[language] {
		if word == list[0].word {
			if p := recorded(c, fmt.Sprintf("%s%s.%d", digitsPrefix, language, digit)); p != nil {
				return p, 1
			}
		}
	}
	return nil, 0
}

// recorded is the prompt of that name, nil for one that is a text itself.
func recorded(c *pbx.Company, name string) *pbx.Prompt {
	if p := c.Prompts[name]; p != nil && p.Text == "" {
		return p
	}
	return nil
}

func silence(d time.Duration) source {
	return source{fmt.Sprintf("silence %d", d), func(context.Context) (audio.PCM, error) {
		return audio.PCM{Samples: make([]int16, int(d*8000/time.Second)), Rate: 8000}, nil
	}}
}
