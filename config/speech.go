package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Speech is the engine that speaks the texts of prompts.
type Speech struct {
	Engine  string        `yaml:"engine"`  // none, espeak-ng, command or http
	Command []string      `yaml:"command"` // of command: program and arguments, {voice} and {language} stand for those of the text
	URL     string        `yaml:"url"`     // of http
	Header  string        `yaml:"header"`  // of http: that carries the token
	Token   string        `yaml:"token"`   // of http, "": none is sent
	Voice   string        `yaml:"voice"`   // of texts that name none, "": the engine's choice for the language
	Timeout time.Duration `yaml:"timeout"` // for one text: then the call goes on without it
	AtOnce  int           `yaml:"at_once"` // texts that are spoken at the same time
}

var (
	engines   = []string{"none", "espeak-ng", "command", "http"}
	voiceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+_.-]{0,63}$`)
	header    = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

// check does not repeat the token.
func (s Speech) check(note note) {
	if !slices.Contains(engines, s.Engine) {
		note("speech.engine", "must be one of %s", strings.Join(engines, ", "))
		return
	}
	if (s.Engine == "command") != (len(s.Command) > 0) {
		note("speech.command", "goes with engine: command, which needs it")
	}
	for i, arg := range s.Command {
		if arg == "" && i == 0 || strings.ContainsRune(arg, 0) {
			note(fmt.Sprintf("speech.command[%d]", i), "must be a program or an argument")
		}
	}
	if len(s.Command) > 0 && strings.ContainsAny(s.Command[0], "{}") {
		note("speech.command[0]", "must be a program, without braces")
	}
	if (s.Engine == "http") != (s.URL != "") {
		note("speech.url", "goes with engine: http, which needs it")
	} else if s.URL != "" {
		u, err := url.Parse(s.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
			note("speech.url", "must be an http or https address without user and fragment")
		}
	}
	if s.Engine != "http" && (s.Token != "" || s.Header != "") {
		note("speech.token", "token and header go with engine: http")
	}
	if s.Header != "" && !header.MatchString(s.Header) {
		note("speech.header", "must be the name of an HTTP header")
	}
	if strings.ContainsFunc(s.Token, func(r rune) bool { return r < ' ' || r > '~' }) {
		note("speech.token", "must be printable ASCII")
	}
	if s.Voice != "" && !voiceName.MatchString(s.Voice) {
		note("speech.voice", "must be the name of a voice: letters, digits and + _ . -, 64 at most")
	}
	if s.Timeout < 100*time.Millisecond || s.Timeout > time.Minute {
		note("speech.timeout", "must be 100ms to 1m")
	}
	if s.AtOnce < 1 || s.AtOnce > 64 {
		note("speech.at_once", "must be 1 to 64")
	}
}
