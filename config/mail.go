package config

import (
	"net"
	"net/mail"
	"strconv"
	"strings"
)

// Mail is the server that e-mails are given to.
type Mail struct {
	Server      string `yaml:"server"`      // host:port, "": no e-mail is sent
	TLS         string `yaml:"tls"`         // starttls, tls or none
	Username    string `yaml:"username"`    // "": no login
	Password    string `yaml:"password"`    //
	From        string `yaml:"from"`        // our address, with a name or without
	Sound       string `yaml:"sound"`       // of what is sent: mp3, where the machine has an encoder, or wav
	Certificate string `yaml:"certificate"` // PEM file: what the server's certificate is, or is issued by; "": the public authorities
}

// The values of Mail.TLS.
const (
	MailStartTLS = "starttls"
	MailTLS      = "tls"
	MailClear    = "none"
)

// The values of Mail.Sound.
const (
	MailMP3 = "mp3"
	MailWAV = "wav"
)

// check does not repeat the password.
func (m Mail) check(note note) {
	if m.TLS != MailStartTLS && m.TLS != MailTLS && m.TLS != MailClear {
		note("mail.tls", "must be starttls, tls or none")
	}
	if m.Sound != MailMP3 && m.Sound != MailWAV {
		note("mail.sound", "must be mp3 or wav")
	}
	if m.Server == "" {
		if m.Username != "" || m.Password != "" || m.From != "" {
			note("mail.server", "is missing: other keys of mail are set")
		}
		return
	}
	host, port, err := net.SplitHostPort(m.Server)
	if n, wrong := strconv.ParseUint(port, 10, 16); err != nil || wrong != nil || n == 0 || !isEndpoint(host) && net.ParseIP(host) == nil {
		note("mail.server", "must be host:port such as smtp.example.com:587")
	}
	if a, err := mail.ParseAddress(m.From); err != nil || strings.ContainsAny(m.From, "\r\n") {
		note("mail.from", "must be an e-mail address such as pbx@example.com")
	} else if at := strings.LastIndexByte(a.Address, '@'); !isEndpoint(a.Address[at+1:]) {
		note("mail.from", "must have the name of a host behind the @")
	}
	switch {
	case m.Username == "" && m.Password != "":
		note("mail.username", "is missing: mail.password is set")
	case m.Username != "" && m.Password == "":
		note("mail.password", "is missing: mail.username is set")
	case m.Username != "" && m.TLS == MailClear:
		note("mail.tls", "must not be none with a username: the password would go over the network in clear")
	}
	for _, k := range []struct{ path, value string }{{"username", m.Username}, {"password", m.Password}} {
		if len(k.value) > 255 || strings.ContainsFunc(k.value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			note("mail."+k.path, "must have at most 255 bytes, without control characters")
		}
	}
	if m.Certificate != "" {
		checkFile(note, "mail.certificate", m.Certificate)
	}
}
