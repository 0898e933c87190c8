package pbx

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// What the fraud guard allows when the company document does not say.
const (
	GuardCalls        = 200 // calls at once of a company
	GuardPerMinute    = 300 // its new calls a minute
	GuardExtCalls     = 20  // calls at once of an extension
	GuardExtPerMinute = 30  // new calls a minute of an extension
)

// Guarded gives the limits with the defaults of the fraud guard in the place of
// what is 0.
func (l Limits) Guarded() Limits {
	for _, d := range []struct {
		n *int
		v int
	}{{&l.Calls, GuardCalls}, {&l.PerMinute, GuardPerMinute}, {&l.ExtCalls, GuardExtCalls}, {&l.ExtPerMinute, GuardExtPerMinute}} {
		if *d.n <= 0 {
			*d.n = d.v
		}
	}
	return l
}

// CallsAtOnce is how many calls at once an extension may have.
func (c *Company) CallsAtOnce(e *Extension) int {
	if e.Calls > 0 {
		return e.Calls
	}
	return c.Limits.Guarded().ExtCalls
}

// CallsAMinute is how many calls a minute an extension may begin.
func (c *Company) CallsAMinute(e *Extension) int {
	if e.PerMinute > 0 {
		return e.PerMinute
	}
	return c.Limits.Guarded().ExtPerMinute
}

// SpendOf is what an extension may spend in a day, 0: no limit of its own.
func (c *Company) SpendOf(e *Extension) Money {
	if e.Spend > 0 {
		return e.Spend
	}
	return c.Limits.ExtSpend
}

// RateOf gives what a minute to a number costs, by the longest prefix.
func (c *Company) RateOf(number string) (Money, bool) {
	best, rate := -1, Money(0)
	for _, r := range c.Rates {
		if strings.HasPrefix(number, r.Prefix) && len(r.Prefix) > best {
			best, rate = len(r.Prefix), r.Minute
		}
	}
	return rate, best >= 0
}

// Emergency says whether a number is one of the short ones, such as 112, that
// must be reached whatever was spent and however often it is called.
func Emergency(number string) bool {
	return len(number) <= 3 && number != "" && strings.Trim(number, "0123456789") == ""
}

// Money is an amount in millionths of whatever the rates are in: no currency is
// known here.
type Money int64

// MaxMoney bounds an amount that somebody writes: sums of them do not overflow.
const MaxMoney Money = 1_000_000_000_000_000 // a thousand million

// ParseMoney reads a decimal number such as 1.5, with six digits at most behind
// the point.
func ParseMoney(s string) (Money, error) {
	whole, part, _ := strings.Cut(s, ".")
	if s == "" || whole+part == "" || len(part) > 6 || len(whole) > 10 || strings.Trim(whole+part, "0123456789") != "" {
		return 0, errors.New("write an amount as 1500 or 1.5")
	}
	n, err := strconv.ParseInt(whole+part+strings.Repeat("0", 6-len(part)), 10, 64)
	if err != nil || Money(n) > MaxMoney {
		return 0, fmt.Errorf("the amount is more than %s", MaxMoney)
	}
	return Money(n), nil
}

// String writes the amount as ParseMoney reads it.
func (m Money) String() string {
	sign, n := "", int64(m)
	if n < 0 {
		sign, n = "-", -n
	}
	s := fmt.Sprintf("%s%d.%06d", sign, n/1e6, n%1e6)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// MarshalJSON writes the amount as a number.
func (m Money) MarshalJSON() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalJSON reads a number.
func (m *Money) UnmarshalJSON(b []byte) error {
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return err
	}
	v, err := ParseMoney(n.String())
	*m = v
	return err
}

// Cost is what so many seconds cost at a rate per minute, rounded up.
func (m Money) Cost(seconds float64) Money {
	return Money(math.Ceil(float64(m) * math.Max(0, seconds) / 60))
}

// Spending is what a company, or one of its extensions, has spent in one day.
type Spending struct {
	Tenant TenantID
	Who    string // extension, "": the whole company
	Day    string // of the company's zone, as 2026-11-22
	Amount Money
}

// Rewrite takes the first characters off a number and puts others before the
// rest, as a trunk wants numbers; "" when nothing would be left.
func Rewrite(number string, strip int, add string) string {
	if strip < 0 || strip > 0 && strip >= len(number) {
		return ""
	}
	return add + number[strip:]
}

// Template is a user part with places for what differs from call to call.
type Template string

// maxTemplate bounds a template and what it becomes.
const maxTemplate = 64

// templateNames are the places: the number shown to the trunk, the same without
// its plus, the trunk's username, the extension that is answerable for the call,
// and the first caller's number, which is the number shown unless the caller is
// from outside.
var templateNames = []string{"number", "digits", "username", "extension", "caller"}

// Check says what is wrong with a template.
func (t Template) Check() error {
	if len(t) > maxTemplate {
		return fmt.Errorf("is longer than %d characters", maxTemplate)
	}
	rest := string(t)
	for _, n := range templateNames {
		rest = strings.ReplaceAll(rest, "{"+n+"}", "")
	}
	if strings.Trim(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-._") != "" {
		return fmt.Errorf("may hold letters, digits, + - . _ and {%s}", strings.Join(templateNames, "}, {"))
	}
	return nil
}

// Fill puts values into the places of a template. A place without value is
// empty.
func (t Template) Fill(values map[string]string) string {
	var pairs []string
	for _, n := range templateNames {
		pairs = append(pairs, "{"+n+"}", values[n])
	}
	s := strings.NewReplacer(pairs...).Replace(string(t))
	return s[:min(len(s), 2*maxTemplate)]
}
