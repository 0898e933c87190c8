package config

import (
	"fmt"
	"net/netip"
	"strings"

	"vpbx/internal/strict"
)

// Addrs are our addresses for one purpose, at most one of each family. The file
// writes one as it is and two as a list; an empty text is none.
type Addrs []netip.Addr

// UnmarshalStrict reads 192.0.2.1 or [192.0.2.1, "2001:db8::1"].
func (a *Addrs) UnmarshalStrict(n strict.Node) {
	var list []netip.Addr
	switch n.Kind() {
	case strict.Null:
		return
	case strict.List:
		if !n.Decode(&list) {
			return
		}
	default:
		var text string
		if !n.Decode(&text) {
			return
		}
		if text != "" {
			var one netip.Addr
			if !n.Decode(&one) {
				return
			}
			list = append(list, one)
		}
	}
	*a = nil
	for _, addr := range list {
		if addr.IsValid() {
			*a = append(*a, addr.Unmap())
		}
	}
}

// MarshalYAML writes the addresses as UnmarshalStrict reads them.
func (a Addrs) MarshalYAML() (any, error) {
	switch len(a) {
	case 0:
		return "", nil
	case 1:
		return a[0].String(), nil
	}
	return []netip.Addr(a), nil
}

// String writes them with commas.
func (a Addrs) String() string {
	var l []string
	for _, addr := range a {
		l = append(l, addr.String())
	}
	return strings.Join(l, ",")
}

// path is where the i-th address stands in the file.
func (a Addrs) path(path string, i int) string {
	if len(a) == 1 {
		return path
	}
	return fmt.Sprintf("%s[%d]", path, i)
}

// checkFamilies notes a second address of one family: peers are told one.
func (a Addrs) checkFamilies(note note, path string) {
	four, six := 0, 0
	for i, addr := range a {
		n := &six
		if addr.Is4() {
			n = &four
		}
		if *n++; *n == 2 {
			note(a.path(path, i), "a second address of the same family; peers are told one")
		}
	}
}
