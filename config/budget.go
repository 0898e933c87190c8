package config

import (
	"fmt"
	"strconv"
)

// Budget is how many sessions the machine is trusted with, by kind of work.
type Budget struct {
	Share     float64 `yaml:"share"` // of the processors' time that a budget found by measuring may take, 0.1 to 1
	Relay     Room    `yaml:"relay"`
	Transcode Room    `yaml:"transcode"`
	Mix       Room    `yaml:"mix"`
	Record    Room    `yaml:"record"`
}

// Room is how many sessions may do a kind of work at once: a number, Auto, or
// Unlimited.
type Room int

// What is written instead of a number.
const (
	Auto      Room = -1 // "auto": found by measuring at the start
	Unlimited Room = 0  // "unlimited"
)

func (r Room) String() string {
	switch r {
	case Auto:
		return "auto"
	case Unlimited:
		return "unlimited"
	}
	return strconv.Itoa(int(r))
}

// MarshalText implements encoding.TextMarshaler.
func (r Room) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Room) UnmarshalText(text []byte) error {
	switch string(text) {
	case "auto":
		*r = Auto
		return nil
	case "unlimited":
		*r = Unlimited
		return nil
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 || n > 1_000_000 {
		return fmt.Errorf("%.20q is neither a number from 1 to 1000000 nor auto nor unlimited", text)
	}
	*r = Room(n)
	return nil
}
