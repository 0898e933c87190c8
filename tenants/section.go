package tenants

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"vpbx/internal/strict"
	"vpbx/pbx"
)

// Section is a list of a document whose items are read and changed one by one.
type Section[T any] struct {
	name string // of the list in a document
	noun string // for messages
	key  string // of an item: name or number
	list func(*Document) *[]T
	of   func(*T) *string // the value of key
}

// The sections. Queues are groups.
var (
	Menus     = Section[Menu]{name: "menus", noun: "menu", key: "name", list: func(d *Document) *[]Menu { return &d.Menus }, of: func(m *Menu) *string { return &m.Name }}
	Schedules = Section[Schedule]{name: "schedules", noun: "schedule", key: "name", list: func(d *Document) *[]Schedule { return &d.Schedules }, of: func(s *Schedule) *string { return &s.Name }}
	Campaigns = Section[Campaign]{name: "campaigns", noun: "campaign", key: "name", list: func(d *Document) *[]Campaign { return &d.Campaigns }, of: func(c *Campaign) *string { return &c.Name }}
	Groups    = Section[Group]{name: "groups", noun: "group", key: "number", list: func(d *Document) *[]Group { return &d.Groups }, of: func(g *Group) *string { return &g.Number }}
)

// Edit changes a document in the making; see [Service.Edit].
type Edit func(*Document) error

// Condition looks at what is about to be replaced or removed, nil when that does not
// exist, and may refuse it. It may be called more than once.
type Condition func(now any) error

// Items lists the items of a section.
func (s Section[T]) Items(d *Document) []T {
	return slices.Clone(*s.list(d))
}

// Key gives what an item is known by.
func (s Section[T]) Key(item T) string { return *s.of(&item) }

// Item gives the item of a key, NotFound when there is none.
func (s Section[T]) Item(d *Document, key string) (T, error) {
	if i := s.find(d, key); i >= 0 {
		return (*s.list(d))[i], nil
	}
	var none T
	return none, &pbx.Error{Kind: pbx.NotFound, Msg: "no such " + s.noun}
}

// Put reads an item, YAML or JSON, and gives the edit that puts it into the place of the
// one with that key, or adds it. What is wrong with the item is told by its path within
// the item.
func (s Section[T]) Put(key string, body []byte, may Condition) (Edit, error) {
	var item T
	doc := strict.Decode(body, &item)
	if own := s.of(&item); *own == "" {
		*own = key
	} else if *own != key {
		doc.Add(s.key, "is %.60q, but the address says %.60q", *own, key)
	}
	if err := doc.Err(); err != nil {
		return nil, invalid(err)
	}
	return func(d *Document) error {
		i := s.find(d, key)
		if err := s.may(d, i, may); err != nil {
			return err
		}
		if i < 0 {
			i = len(*s.list(d))
			*s.list(d) = append(*s.list(d), item)
		} else {
			(*s.list(d))[i] = item
		}
		d.part = part{from: fmt.Sprintf("%s[%d]", s.name, i), doc: doc}
		return nil
	}, nil
}

// Add reads an item, YAML or JSON, and gives its key and the edit that adds it: a Conflict
// when there is one of that key.
func (s Section[T]) Add(body []byte) (string, Edit, error) {
	var item T
	doc := strict.Decode(body, &item)
	key := *s.of(&item)
	if err := doc.Err(); err != nil {
		return "", nil, invalid(err)
	}
	if key == "" {
		doc.Add(s.key, "is needed")
		return "", nil, invalid(doc.Err())
	}
	edit, err := s.Put(key, body, func(now any) error {
		if now != nil {
			return &pbx.Error{Kind: pbx.Conflict, Field: s.key, Msg: fmt.Sprintf("there is a %s %.60q already", s.noun, key)}
		}
		return nil
	})
	return key, edit, err
}

// Remove gives the edit that removes the item of a key. What it leaves behind that needs
// the item is told as mistakes.
func (s Section[T]) Remove(key string, may Condition) Edit {
	return func(d *Document) error {
		i := s.find(d, key)
		if _, err := s.Item(d, key); err != nil {
			return err
		}
		if err := s.may(d, i, may); err != nil {
			return err
		}
		*s.list(d) = slices.Delete(slices.Clone(*s.list(d)), i, i+1)
		return nil
	}
}

// may asks the condition about the item at i.
func (s Section[T]) may(d *Document, i int, may Condition) error {
	if i < 0 {
		return may(nil)
	}
	return may((*s.list(d))[i])
}

func (s Section[T]) find(d *Document, key string) int {
	list := *s.list(d)
	return slices.IndexFunc(list, func(i T) bool { return *s.of(&i) == key })
}

// PutRules reads the rules of a company as {items: […]} and gives the edit that puts
// them into the place of those that it has.
func PutRules(body []byte, may Condition) (Edit, error) {
	var in struct {
		Items []Rule `yaml:"items"`
	}
	doc := strict.Decode(body, &in)
	if err := doc.Err(); err != nil {
		return nil, invalid(err)
	}
	if !doc.Has("items") {
		doc.Add("items", "is needed: a company without rules has an empty list")
		return nil, invalid(doc.Err())
	}
	return func(d *Document) error {
		if err := may(d.Rules); err != nil {
			return err
		}
		d.Rules, d.part = in.Items, part{from: "rules", to: "items", doc: doc}
		return nil
	}, nil
}

// Version names what something of a document says: two that say the same have the same.
func Version(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "" // no part of a document fails to be encoded; no condition would hold
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:12])
}

// part is what of a document was sent by itself.
type part struct {
	from, to string // its path in the document, and in what was sent
	doc      *strict.Doc
}

// place turns a path of the document into one of what was sent, with its line there.
func (p part) place(path string) (string, int, bool) {
	rest, inside := strings.CutPrefix(path, p.from)
	if p.doc == nil || !inside || rest != "" && rest[0] != '.' && rest[0] != '[' {
		return path, 0, false
	}
	path = strings.TrimPrefix(p.to+rest, ".")
	return path, p.doc.Line(path), true
}

// maxEdits is how often an edit is begun anew because another came between.
const maxEdits = 5

// errMoved says that a company is no longer what an edit began with.
var errMoved = errors.New("the company was changed meanwhile")

// Edit changes the document of a company in one transaction and lists what that changed.
// All of the document is checked, as Apply does. edit is called again when the company
// was changed between, so that no change is lost.
func (s *Service) Edit(ctx context.Context, t pbx.TenantID, edit Edit) (Changes, error) {
	for range maxEdits {
		changes, err := s.edit(ctx, t, edit)
		if err == nil {
			return changes, nil
		}
		if !errors.Is(err, errMoved) {
			return nil, fmt.Errorf("edit company %s: %w", t, err)
		}
	}
	return nil, &pbx.Error{Kind: pbx.Conflict, Msg: "the company is being changed by others all the time; try again"}
}

func (s *Service) edit(ctx context.Context, t pbx.TenantID, edit Edit) (Changes, error) {
	began := s.store.Directory().Company(t)
	if began == nil {
		return nil, unknown()
	}
	d := FromCompany(began)
	if err := edit(d); err != nil {
		return nil, err
	}
	if err := d.checked(); err != nil { // not in the transaction, in which all companies take their turns
		return nil, err
	}
	var changes Changes
	err := s.store.UpdateCompany(ctx, t, func(old *pbx.Company) (*pbx.Company, error) {
		switch {
		case old == nil:
			return nil, unknown()
		case !reflect.DeepEqual(FromCompany(old), FromCompany(began)):
			return nil, errMoved
		}
		next, err := d.company(old)
		if err != nil {
			return nil, err
		}
		changes = diff(old, next)
		return next, nil
	})
	return changes, err
}
