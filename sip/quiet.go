package sip

import (
	"context"
	"log/slog"
)

// quiet stands between sipgo and our log. sipgo logs whole messages, with
// numbers and credentials in them, at the level of errors, and counts nothing:
// quiet lets what it says through at debug level only, without the messages,
// and counts those that could not be parsed.
type quiet struct {
	next      slog.Handler
	malformed func(data string)
}

// Enabled lets errors pass, to be counted, and the rest only when we debug.
func (q *quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelError || l >= slog.LevelWarn && q.next.Enabled(ctx, slog.LevelDebug)
}

// Handle counts and passes on what is left of a record.
func (q *quiet) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "failed to parse" { // by TransportUDP, TransportTCP
		q.malformed(dataOf(r))
	}
	if !q.next.Enabled(ctx, slog.LevelDebug) {
		return nil
	}
	clean := slog.NewRecord(r.Time, slog.LevelDebug, "sipgo: "+r.Message, r.PC)
	return q.next.Handle(ctx, clean)
}

// dataOf gives the message that a record is about.
func dataOf(r slog.Record) (data string) {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "data" {
			data = a.Value.String()
		}
		return data == ""
	})
	return data
}

// WithAttrs drops attributes: the ones of sipgo say nothing about the message.
func (q *quiet) WithAttrs([]slog.Attr) slog.Handler { return q }

// WithGroup drops the group for the same reason.
func (q *quiet) WithGroup(string) slog.Handler { return q }
