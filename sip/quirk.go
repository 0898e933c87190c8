package sip

import (
	"strconv"
	"strings"
)

// algorithms lists the digest algorithms that a user agent is challenged with,
// the preferred one first (RFC 8760 §2.3). A few phones give up when they meet an
// algorithm they do not know, although RFC 8760 §2.4 asks them to skip it; they
// are offered MD5 only. Anybody may choose MD5, so this opens no door.
func algorithms(agent string) []string {
	if onlyMD5(agent) {
		return []string{"MD5"}
	}
	return []string{"SHA-256", "MD5"}
}

// onlyMD5 knows the phones that cannot be offered anything else: baresip before
// 3.12.
func onlyMD5(agent string) bool {
	version, ok := strings.CutPrefix(agent, "baresip v")
	if !ok {
		return false
	}
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	x, errX := strconv.Atoi(major)
	y, errY := strconv.Atoi(minor)
	if errX != nil || errY != nil {
		return false
	}
	return x < 3 || x == 3 && y < 12
}
