package api

import (
	"encoding/base64"
	"slices"
)

// InPage are the parameters of every list.
type InPage struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"500" doc:"Items at most"`
	Cursor string `query:"cursor" maxLength:"512" doc:"What next of the page before said"`
}

// List is the answer of every list.
type List[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next" doc:"Cursor of the next page, empty on the last one"`
}

type listOut[T any] struct {
	Body List[T]
}

// page cuts one page out of items that are held in memory. The key of an item
// is unique; order says how keys sort. Items that come or go between two pages
// make no other item appear twice or not at all.
func page[T any](items []T, key func(T) string, order func(a, b string) int, in InPage) (List[T], error) {
	slices.SortFunc(items, func(a, b T) int { return order(key(a), key(b)) })
	if in.Cursor != "" {
		after, err := cursorKey(in.Cursor)
		if err != nil {
			return List[T]{}, err
		}
		first := slices.IndexFunc(items, func(i T) bool { return order(key(i), after) > 0 })
		if first < 0 {
			first = len(items)
		}
		items = items[first:]
	}
	out := List[T]{Items: items}
	if len(items) > in.Limit {
		out.Items = items[:in.Limit]
		out.Next = cursorOf(key(out.Items[in.Limit-1]))
	}
	if out.Items == nil {
		out.Items = []T{}
	}
	return out, nil
}

func cursorOf(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }

// cursorKey reads a cursor of [page].
func cursorKey(cursor string) (string, error) {
	key, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || cursorOf(string(key)) != cursor { // the decoder skips line ends
		return "", invalid("cursor", "it is not one that this list gave")
	}
	return string(key), nil
}
