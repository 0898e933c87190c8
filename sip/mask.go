package sip

import (
	"bytes"
	"slices"
	"strings"
)

// shownInDigest are the parameters of digest credentials and challenges that
// say how a peer proved itself without helping to do so again.
var shownInDigest = map[string]bool{
	"username": true, "realm": true, "nonce": true, "uri": true, "algorithm": true, "qop": true, "nc": true,
	"opaque": true, "stale": true, "domain": true, "userhash": true, "charset": true,
}

// secretHeaders are the headers with credentials or challenges.
var secretHeaders = []string{"Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate",
	"Authentication-Info", "Proxy-Authentication-Info"}

// secretLines begin the lines of a session description that hold keys: SDES
// (RFC 4568), MIKEY (RFC 4567), k= (RFC 4566 §5.12), the password of ICE
// (RFC 8839 §5.4).
var secretLines = []string{"k=", "a=crypto:", "a=key-mgmt:", "a=ice-pwd:"}

// digitTypes begin the types of bodies with digits, often a PIN: dtmf and dtmf-relay,
// RFC 4733 in other hands, KPML (RFC 4730).
var digitTypes = []string{"application/dtmf", "audio/telephone-event", "application/kpml-"}

// mask gives a copy of a message as it is on the wire in which secrets are
// overwritten, letter by letter, so that all lengths in it stay true: what
// digest answers are made of, passwords of URIs, keys of media, digits that a
// caller keys in, the text of a MESSAGE, and bodies that are packed. It takes
// any bytes: what cannot be read as a message is masked line by line all the
// same.
func mask(message []byte) []byte {
	b := bytes.Clone(message)
	secretBody := hasSecretBody(b)
	for i := 0; i < len(b); {
		line, next := nextLine(b, i)
		if len(line) == 0 && secretBody { // also of a part of a body, and then all behind it
			star(b[next:])
			break
		}
		for len(line) > 0 && next < len(b) && (b[next] == ' ' || b[next] == '\t') { // folded, RFC 3261 §7.3.1
			more, after := nextLine(b, next)
			line, next = b[i:next+len(more)], after
		}
		// Bodies are looked through for headers, too: there are whole messages in some.
		maskPasswords(line)
		maskSDP(line)
		secretBody = maskHeader(line) || secretBody
		i = next
	}
	return b
}

// hasSecretBody reports whether a request's method tells that its body is not for others
// to read: it is a text, or, in whatever form, digits (INFO).
func hasSecretBody(message []byte) bool {
	for _, method := range []string{"MESSAGE ", "INFO "} {
		if _, ok := cutFold(message, method); ok {
			return true
		}
	}
	return false
}

// nextLine gives the line of b that begins at i, without its end, and where the
// next one begins. A line ends with CRLF, LF, or CR.
func nextLine(b []byte, i int) (line []byte, next int) {
	n := bytes.IndexAny(b[i:], "\r\n")
	if n < 0 {
		return b[i:], len(b)
	}
	next = i + n + 1
	if b[i+n] == '\r' && next < len(b) && b[next] == '\n' {
		next++
	}
	return b[i : i+n], next
}

// maskHeader masks a header line with credentials; true when it says that the
// body is not for others to read.
func maskHeader(line []byte) (secretBody bool) {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return false
	}
	name, value := strings.TrimSpace(string(line[:colon])), line[colon+1:]
	text := strings.ToLower(strings.TrimSpace(string(value)))
	switch {
	case strings.EqualFold(name, "Content-Encoding"), strings.EqualFold(name, "e"):
		return text != "" && text != "identity"
	case strings.EqualFold(name, "Content-Type"), strings.EqualFold(name, "c"):
		return slices.ContainsFunc(digitTypes, func(kind string) bool { return strings.HasPrefix(text, kind) })
	}
	for _, secret := range secretHeaders {
		if strings.EqualFold(name, secret) {
			maskCredentials(value)
		}
	}
	return false
}

// maskCredentials masks the value of a header with credentials. Of the digest
// scheme it shows the parameters that are known to be harmless; of anything
// else, and of what is not written as RFC 3261 §25.1 has it, nothing.
func maskCredentials(v []byte) {
	i := skipSpace(v, 0)
	if rest, ok := cutFold(v[i:], "Digest "); ok {
		i = len(v) - len(rest)
	} else if !bytes.Contains(v, []byte("=")) || bytes.Contains(bytes.TrimSpace(v[:bytes.IndexByte(v, '=')]), []byte(" ")) {
		star(v[i:])
		return
	}
	for i < len(v) {
		i = skipSpace(v, i)
		eq := bytes.IndexByte(v[i:], '=')
		if eq < 0 {
			star(v[i:])
			return
		}
		name := strings.ToLower(strings.TrimSpace(string(v[i : i+eq])))
		value := skipSpace(v, i+eq+1)
		end, ok := endOfValue(v, value)
		if !ok {
			star(v[i:])
			return
		}
		if !shownInDigest[name] {
			star(v[value:end])
		}
		i = skipSpace(v, end)
		if i < len(v) && v[i] != ',' {
			star(v[i:])
			return
		}
		i++
	}
}

// endOfValue finds the end of a token or a quoted-string; false when it has
// none.
func endOfValue(v []byte, i int) (end int, ok bool) {
	if i >= len(v) || v[i] != '"' {
		for i < len(v) && v[i] != ',' && v[i] != ' ' && v[i] != '\t' {
			if v[i] == '"' || v[i] == '=' {
				return 0, false
			}
			i++
		}
		return i, true
	}
	for i++; i < len(v); i++ {
		switch v[i] {
		case '\\':
			i++
		case '"':
			return i + 1, true
		}
	}
	return 0, false
}

// maskSDP masks a line of a body that holds a key.
func maskSDP(line []byte) {
	line = bytes.TrimLeft(line, " \t")
	for _, prefix := range secretLines {
		key, ok := cutFold(line, prefix[:len("a=")])
		if ok { // some write "a= crypto:"
			key, ok = cutFold(bytes.TrimLeft(key, " \t"), prefix[len("a="):])
		}
		if !ok {
			continue
		}
		if i := bytes.Index(bytes.ToLower(key), []byte("inline:")); i >= 0 && strings.HasPrefix(prefix, "a=crypto") {
			key = key[i+len("inline:"):]
		}
		star(key)
	}
}

// cutFold cuts a prefix off, whatever its case.
func cutFold(b []byte, prefix string) (rest []byte, ok bool) {
	if len(b) < len(prefix) || !strings.EqualFold(string(b[:len(prefix)]), prefix) {
		return nil, false
	}
	return b[len(prefix):], true
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// star overwrites everything but the ends of lines.
func star(b []byte) {
	for i, c := range b {
		if c != '\r' && c != '\n' {
			b[i] = '*'
		}
	}
}
