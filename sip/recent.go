package sip

import "container/list"

// recent is a map of bounded size: the entry that was not used for longest
// makes room for a new one.
type recent[K comparable, V any] struct {
	max   int
	byKey map[K]*list.Element
	order *list.List // of *entry[K, V], most recently used first
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

func newRecent[K comparable, V any](max int) *recent[K, V] {
	return &recent[K, V]{max: max, byKey: map[K]*list.Element{}, order: list.New()}
}

// get gives the value of k and marks it as used, nil when there is none.
func (r *recent[K, V]) get(k K) *V {
	e, ok := r.byKey[k]
	if !ok {
		return nil
	}
	r.order.MoveToFront(e)
	return &e.Value.(*entry[K, V]).value
}

// add gives the value of k, a new one when there is none. When another entry
// had to go for it, gone is that one's value.
func (r *recent[K, V]) add(k K) (v, gone *V) {
	if v := r.get(k); v != nil {
		return v, nil
	}
	if len(r.byKey) >= r.max {
		last := r.order.Back()
		old := r.order.Remove(last).(*entry[K, V])
		delete(r.byKey, old.key)
		gone = &old.value
	}
	n := &entry[K, V]{key: k}
	r.byKey[k] = r.order.PushFront(n)
	return &n.value, gone
}

func (r *recent[K, V]) drop(k K) {
	if e, ok := r.byKey[k]; ok {
		r.order.Remove(e)
		delete(r.byKey, k)
	}
}
