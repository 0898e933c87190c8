package tenants

import (
	"maps"
	"reflect"
	"slices"
	"strconv"

	"vpbx/pbx"
)

// Action says what happened to a part of a company.
type Action string

// The actions.
const (
	Added   Action = "added"
	Changed Action = "changed"
	Removed Action = "removed"
)

// Change is one difference that a document made.
type Change struct {
	Action Action `json:"action"`
	Noun   string `json:"noun"`          // tenant, extension, group, trunk, number, outbound, rate, rule, schedule, list, prompt, music, conference, menu, campaign or crm
	Key    string `json:"key,omitempty"` // number, name or prefix; "order" when only the order of a list differs
}

// Changes are the differences that a document made, noun by noun; none when it
// was applied before.
type Changes []Change

// diff lists what turns old, which may be nil, into next.
func diff(old, next *pbx.Company) Changes {
	var all Changes
	if old == nil {
		all = append(all, Change{Added, "tenant", string(next.ID)})
		old = &pbx.Company{Tenant: next.Tenant, CRM: pbx.CRM{Kind: "none"}}
	}
	was := old.Tenant
	was.Provisioned = next.Provisioned // a file is no part of the company
	if !reflect.DeepEqual(was, next.Tenant) {
		all = append(all, Change{Changed, "tenant", string(next.ID)})
	}
	all = append(all, diffMap("extension", old.Extensions, next.Extensions)...)
	all = append(all, diffMap("group", old.Groups, next.Groups)...)
	all = append(all, diffList("trunk", old.Trunks, next.Trunks, func(t *pbx.Trunk) string { return t.Name })...)
	all = append(all, diffMap("number", old.Numbers, next.Numbers)...)
	all = append(all, diffList("outbound", old.Outbound, next.Outbound, func(o pbx.Outbound) string { return o.Prefix })...)
	all = append(all, diffList("rate", old.Rates, next.Rates, func(r pbx.Rate) string { return r.Prefix })...)
	all = append(all, diffMap("prompt", old.Prompts, next.Prompts)...)
	all = append(all, diffMap("conference", old.Conferences, next.Conferences)...)
	all = append(all, diffMap("menu", old.Menus, next.Menus)...)
	all = append(all, diffMap("music", old.Music, next.Music)...)
	all = append(all, diffMap("schedule", old.Schedules, next.Schedules)...)
	all = append(all, diffMap("list", old.Lists, next.Lists)...)
	all = append(all, diffMap("campaign", old.Campaigns, next.Campaigns)...)
	all = append(all, diffList("rule", old.Rules, next.Rules, func(r pbx.Rule) string { return r.Key() })...)
	if !reflect.DeepEqual(old.CRM, next.CRM) {
		all = append(all, Change{Changed, "crm", next.CRM.Kind})
	}
	return all
}

// diffMap lists the differences of two maps by key.
func diffMap[T any](noun string, old, next map[string]T) Changes {
	var all Changes
	for _, k := range keys(next) {
		was, ok := old[k]
		switch {
		case !ok:
			all = append(all, Change{Added, noun, k})
		case !reflect.DeepEqual(was, next[k]):
			all = append(all, Change{Changed, noun, k})
		}
	}
	for _, k := range keys(old) {
		if _, ok := next[k]; !ok {
			all = append(all, Change{Removed, noun, k})
		}
	}
	return all
}

// diffList lists the differences of two lists by the key of their items. A key that
// comes again is numbered: +74950000000#2.
func diffList[T any](noun string, old, next []T, key func(T) string) Changes {
	byKey := func(list []T) (map[string]T, []string) {
		m, order := map[string]T{}, []string{}
		seen := map[string]int{}
		for _, v := range list {
			k := key(v)
			if seen[k]++; seen[k] > 1 {
				k += "#" + strconv.Itoa(seen[k])
			}
			m[k] = v
			order = append(order, k)
		}
		return m, order
	}
	was, wasOrder := byKey(old)
	is, isOrder := byKey(next)
	kept := func(order []string) []string {
		return slices.DeleteFunc(order, func(k string) bool {
			_, before := was[k]
			_, now := is[k]
			return !before || !now
		})
	}
	all := diffMap(noun, was, is)
	if !slices.Equal(kept(wasOrder), kept(isOrder)) {
		all = append(all, Change{Changed, noun, "order"})
	}
	return all
}

// keys lists the keys of a map in order.
func keys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
