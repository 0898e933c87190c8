package tenants

import (
	"fmt"
	"slices"
	"strings"

	"vpbx/pbx"
)

// Bounds of the lists of callers of a company, all together.
const (
	maxListed       = 50_000
	maxListPrefixes = 1000
)

// List is a list of callers that rules name.
type List struct {
	Name     string   `yaml:"name" json:"name"`
	Numbers  []string `yaml:"numbers" json:"numbers,omitempty"`   // as people of the country write them
	Prefixes []string `yaml:"prefixes" json:"prefixes,omitempty"` // of numbers in E.164 form: +7900
}

// Callers are the lists that callers must be in, and those they must not be in;
// each is one name or several. The name anonymous is that of callers who hide their
// number.
type Callers struct {
	Only names `yaml:"only" json:"only,omitempty"`
	Not  names `yaml:"not" json:"not,omitempty"`
}

func (c *checker) indexLists() {
	for i, l := range c.Lists {
		path := fmt.Sprintf("lists[%d].name", i)
		c.match(path, l.Name, identifier, "letters, digits, dots and dashes, 40 at most")
		if l.Name == pbx.Anonymous {
			c.note(path, "%s is the name of callers who hide their number", l.Name)
		}
		c.once(path, c.lists, l.Name, i, "lists[%d]")
	}
}

func (c *checker) checkLists() {
	numbers, prefixes := 0, 0
	for i := range c.Lists {
		numbers += len(c.Lists[i].Numbers)
		prefixes += len(c.Lists[i].Prefixes)
	}
	if numbers > maxListed || prefixes > maxListPrefixes {
		c.note("lists", "%d numbers and %d prefixes; %d and %d at most", numbers, prefixes, maxListed, maxListPrefixes)
		return
	}
	for i := range c.Lists {
		path, l := fmt.Sprintf("lists[%d]", i), &c.Lists[i]
		for j, n := range l.Numbers {
			if full := c.tenant.E164(n); full == "" || strings.ContainsAny(full, "*#") {
				c.note(fmt.Sprintf("%s.numbers[%d]", path, j), "%.60q is not a number", n)
			}
		}
		for j, p := range l.Prefixes {
			c.match(fmt.Sprintf("%s.prefixes[%d]", path, j), p, prefix, "the first digits of numbers, with + or without")
		}
	}
}

func (c *checker) checkCallers(path string, callers *Callers) {
	seen := map[string]int{}
	for _, k := range []struct {
		key   string
		lists names
	}{{"only", callers.Only}, {"not", callers.Not}} {
		if len(k.lists) > maxList {
			c.note(path+"."+k.key, "%d items; %d at most", len(k.lists), maxList)
			return
		}
		for j, name := range k.lists {
			at := path + "." + k.key
			if len(k.lists) > 1 {
				at = fmt.Sprintf("%s[%d]", at, j)
			}
			if _, ok := c.lists[name]; !ok && name != pbx.Anonymous {
				c.note(at, "there is no list %.60q", name)
			} else if _, twice := seen[name]; twice {
				c.note(at, "%.60q is named twice", name)
			}
			seen[name] = j
		}
	}
}

func (b *build) lists() {
	for i := range b.Lists {
		l := &b.Lists[i]
		if b.company.Lists == nil {
			b.company.Lists = map[string]*pbx.List{}
		}
		x := &pbx.List{Name: l.Name, Prefixes: sorted(l.Prefixes)}
		full := make([]string, len(l.Numbers))
		for j, n := range l.Numbers {
			full[j] = b.company.E164(n)
		}
		x.Numbers = sorted(full)
		b.company.Lists[l.Name] = x
	}
}

// sorted copies a list in order, each item once; an empty one is nil.
func sorted(list []string) []string {
	list = clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
