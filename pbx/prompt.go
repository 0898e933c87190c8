package pbx

import "slices"

// Prompt is a sound that can be played to a caller: a file, an upload, or a text.
type Prompt struct {
	Name     string `json:"name"`
	File     string `json:"file"`               // absolute path of a sound file
	Upload   bool   `json:"upload,omitempty"`   // its sound comes by the API, or is recorded by a phone
	Sound    string `json:"sound,omitempty"`    // of Upload: SHA-256 of the sound, hex; "": not uploaded yet
	Text     string `json:"text,omitempty"`     // for the speech engine
	Language string `json:"language,omitempty"` // of Text, such as ru or en-GB; "": that of the country
	Voice    string `json:"voice,omitempty"`    // of Text, as the engine names it

	// Code is what a phone dials behind the feature code to record the sound of an Upload,
	// 1 to 6 digits, "": no phone may. Recorders are the extensions that may.
	Code      string   `json:"code,omitempty"`
	Recorders []string `json:"recorders,omitempty"`
}

// RecordedBy tells whether an extension may record the sound of the prompt.
func (p *Prompt) RecordedBy(extension string) bool {
	return p.Code != "" && slices.Contains(p.Recorders, extension)
}

// PromptAt gives the prompt that is recorded by a code, nil when none is.
func (c *Company) PromptAt(code string) *Prompt {
	if code == "" {
		return nil
	}
	for _, p := range c.Prompts {
		if p.Code == code {
			return p
		}
	}
	return nil
}

// Music is what somebody hears who waits.
type Music struct {
	Name    string   `json:"name"`
	Files   []string `json:"files,omitempty"`   // absolute paths of sound files, played in order
	Prompts []string `json:"prompts,omitempty"` // names of prompts, played behind them
}

// DefaultMusic is the music of whoever waits where nothing else is said.
const DefaultMusic = "default"

// Plays lists the prompts of a StepPlay in their order.
func (s Step) Plays() []string {
	if len(s.Prompts) > 0 {
		return s.Prompts
	}
	return []string{s.Target}
}

// russian are the countries in which a caller is spoken to in Russian when nothing
// else is said.
var russian = map[string]bool{"RU": true, "BY": true, "KZ": true, "KG": true, "TJ": true, "UZ": true, "AM": true}

// currencies are those of the countries in which amounts can be read out (ISO 4217).
var currencies = map[string]string{
	"RU": "RUB", "BY": "BYN", "KZ": "KZT", "KG": "KGS", "AM": "AMD", "UA": "UAH", "US": "USD", "GB": "GBP", "CN": "CNY", "TR": "TRY",
	"AT": "EUR", "BE": "EUR", "BG": "EUR", "CY": "EUR", "DE": "EUR", "EE": "EUR", "ES": "EUR", "FI": "EUR", "FR": "EUR", "GR": "EUR", "HR": "EUR",
	"IE": "EUR", "IT": "EUR", "LT": "EUR", "LU": "EUR", "LV": "EUR", "MT": "EUR", "NL": "EUR", "PT": "EUR", "SI": "EUR", "SK": "EUR",
}

// Language is the language in which callers of the company are spoken to, where a
// prompt does not say.
func (t Tenant) Language() string {
	if russian[t.Country] {
		return "ru"
	}
	return "en"
}

// Currency is that of amounts that name none, "" when it is not known.
func (t Tenant) Currency() string { return currencies[t.Country] }
