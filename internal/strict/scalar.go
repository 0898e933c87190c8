package strict

import (
	"encoding"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
)

// scalar decodes a single value.
func (d *decoder) scalar(n *node, v reflect.Value) {
	switch n.kind {
	case Null:
		d.noteAt(n, "has no value")
		return
	case List, Map:
		d.noteAt(n, "must be %s, is %v", want(v), n.kind)
		return
	}
	switch {
	case v.Type() == durationType:
		d.duration(n, v)
	case v.Type() == prefixType:
		d.prefix(n, v)
	case isScalar(v):
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.text)); err != nil {
			d.noteAt(n, "%v", err)
		}
	case v.Kind() == reflect.String:
		v.SetString(n.text)
	case v.Kind() == reflect.Bool:
		d.boolean(n, v)
	case v.CanInt(), v.CanUint():
		d.integer(n, v)
	case v.CanFloat():
		d.float(n, v)
	default:
		d.noteAt(n, "cannot be decoded into %s", v.Type())
	}
}

// want names what a scalar field takes.
func want(v reflect.Value) string {
	switch {
	case v.Type() == durationType:
		return "a duration such as 20s"
	case isScalar(v):
		return "a single value"
	case v.Kind() == reflect.Bool:
		return "true or false"
	case v.CanInt(), v.CanUint():
		return "a whole number"
	case v.CanFloat():
		return "a number"
	}
	return "text"
}

func (d *decoder) duration(n *node, v reflect.Value) {
	t, err := time.ParseDuration(n.text)
	if err != nil {
		d.noteAt(n, "%s is not a duration; write 20s, 5m or 1h30m", quote(n.text))
		return
	}
	v.SetInt(int64(t))
}

func (d *decoder) prefix(n *node, v reflect.Value) {
	p, err := netip.ParsePrefix(n.text)
	if err != nil {
		d.noteAt(n, "%s is not a network; write it as 10.0.0.0/8, a single address as 192.0.2.1/32", quote(n.text))
		return
	}
	v.Set(reflect.ValueOf(p))
}

func (d *decoder) boolean(n *node, v reflect.Value) {
	switch {
	case n.quoted, n.text != "true" && n.text != "false":
		d.noteAt(n, "must be true or false, without quotes")
	default:
		v.SetBool(n.text == "true")
	}
}

// integer takes decimal digits only: 010 and 0x10 mean different things to
// different readers.
func (d *decoder) integer(n *node, v reflect.Value) {
	bits := v.Type().Bits()
	var again string
	var err error
	if v.CanInt() {
		var i int64
		if i, err = strconv.ParseInt(n.text, 10, bits); err == nil {
			again = strconv.FormatInt(i, 10)
			v.SetInt(i)
		}
	} else {
		var u uint64
		if u, err = strconv.ParseUint(n.text, 10, bits); err == nil {
			again = strconv.FormatUint(u, 10)
			v.SetUint(u)
		}
	}
	if err != nil || n.quoted || again != n.text {
		d.noteAt(n, "%s is not a whole number of this field's range, in plain digits", quote(n.text))
	}
}

func (d *decoder) float(n *node, v reflect.Value) {
	f, err := strconv.ParseFloat(n.text, v.Type().Bits())
	if err != nil || n.quoted || math.IsInf(f, 0) || math.IsNaN(f) {
		d.noteAt(n, "%s is not a number", quote(n.text))
		return
	}
	v.SetFloat(f)
}

// quote shows a value in a mistake, cut to what a line has room for.
func quote(text string) string {
	const room = 60
	if utf8.RuneCountInString(text) > room {
		text = string([]rune(text)[:room]) + "…"
	}
	return strconv.Quote(text)
}
