package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"vpbx/internal/pcap"
	"vpbx/pbx"
)

const (
	pcapType       = "application/vnd.tcpdump.pcap"
	maxCapture     = 16 << 20         // bytes of one capture of an extension
	captureAdmits  = 15 * time.Second // between two looks whether its token is still good
	captureDefault = 60               // seconds
)

type inCapture struct {
	InTenant
	Ext  string `path:"ext" maxLength:"32" doc:"Number of the extension"`
	Body *struct {
		_       struct{} `additionalProperties:"false"`
		Seconds int      `json:"seconds,omitempty" default:"60" minimum:"1" maximum:"600" doc:"How long"`
	} `nameHint:"Capture"`
}

func (s *Server) addCaptures() {
	file := map[string]*huma.Response{"200": {
		Description: "A capture file in the format pcap",
		Content:     map[string]*huma.MediaType{pcapType: {Schema: &huma.Schema{Type: "string", Format: "binary"}}},
	}}
	handle(s, ReadCalls, huma.Operation{
		OperationID: "get-call-pcap", Method: http.MethodGet, Path: callsPath + "/{id}/pcap",
		Tags: []string{"calls"}, Summary: "Gives the SIP messages of a call, ended or going on, as a capture file for Wireshark",
		Description: "It is made from the ladder of the call: what the ladder does not keep of a message is not in it.",
		Responses:   file,
	}, s.callPcap)
	handle(s, CaptureSIP, huma.Operation{
		OperationID: "capture-extension", Method: http.MethodPost, Path: "/api/v1/tenants/{tenant}/extensions/{ext}/capture",
		Tags: []string{"extensions"}, Summary: "Captures the SIP messages of one extension as they pass",
		Description: "The answer is written while the capture goes on. It ends after the time, at 16 MiB, or when the client goes. " +
			"Secrets in the messages are overwritten by asterisks.",
		Responses: file,
	}, s.captureExtension)
}

// callPcap gives the ladder of a call as a capture file.
func (s *Server) callPcap(ctx context.Context, q *request, in *InCall) (*stream, error) {
	record, _, err := s.c.Records.Call(ctx, q.tenant(), in.ID)
	ladder := record.Ladder
	if pbx.KindOf(err) == pbx.NotFound {
		live, ok := s.c.Ladder(q.tenant(), in.ID)
		if ladder, err = live, nil; !ok {
			// It may have ended between the two looks; then it is saved by now.
			record, _, err = s.c.Records.Call(ctx, q.tenant(), in.ID)
			ladder = record.Ladder
		}
	}
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := writeLadder(&b, ladder); err != nil {
		return nil, err
	}
	return &stream{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		pcapHeader(w, string(in.ID))
		_, _ = w.Write(b.Bytes()) // a client that has gone
	}}, nil
}

// writeLadder writes the messages whose addresses are known.
func writeLadder(w io.Writer, ladder []pbx.Message) error {
	out, err := pcap.NewWriter(w)
	if err != nil {
		return err
	}
	for _, m := range ladder {
		if p, ok := pcap.Packet(m); ok && p.From.Addr().Unmap().Is4() == p.To.Addr().Unmap().Is4() {
			if err := out.Write(p); err != nil {
				return err
			}
		}
	}
	return nil
}

func pcapHeader(w http.ResponseWriter, name string) {
	h := w.Header()
	h.Set("Content-Type", pcapType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fileID(pbx.RecordingID(name)) + ".pcap"}))
	w.WriteHeader(http.StatusOK)
}

// captureExtension streams the messages of an extension.
func (s *Server) captureExtension(ctx context.Context, q *request, in *inCapture) (*stream, error) {
	if q.company.Extensions[in.Ext] == nil {
		return nil, &pbx.Error{Kind: pbx.NotFound, Msg: "no such extension"}
	}
	length := captureDefault
	if in.Body != nil && in.Body.Seconds > 0 {
		length = in.Body.Seconds
	}
	packets, stop, err := s.c.Capture(q.tenant(), in.Ext)
	if pbx.KindOf(err) == pbx.Limit {
		return nil, &retryError{after: reconnect, error: err}
	}
	if err != nil {
		return nil, err
	}
	q.log.Info("capture begins", "tenant", q.tenant(), "extension", in.Ext, "who", q.who.Name, "seconds", length)
	return &stream{Body: func(hc huma.Context) {
		defer stop()
		_, w := humago.Unwrap(hc)
		ctx, cancel := context.WithTimeout(ctx, time.Duration(length)*time.Second)
		defer cancel()
		defer context.AfterFunc(s.life, func() {
			cancel()
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(farewell))
		})()
		pcapHeader(w, "capture-"+in.Ext)
		if err := s.capture(ctx, q, packets, w); err != nil && ctx.Err() == nil {
			q.log.Debug("capture broken off", "err", err)
		}
	}}, nil
}

// capture writes packets until ctx is done, the file is full, the token is no
// longer good, or the client does not take them.
func (s *Server) capture(ctx context.Context, q *request, packets <-chan pbx.Packet, w http.ResponseWriter) error {
	control := http.NewResponseController(w)
	size := &counted{w: bufio.NewWriterSize(w, 64<<10)}
	out, err := pcap.NewWriter(size)
	if err != nil {
		return err
	}
	look := time.NewTicker(captureAdmits)
	defer look.Stop()
	for {
		if err := errors.Join(size.w.Flush(), control.Flush()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			if err := s.stillAdmitted(q, CaptureSIP); err != nil {
				return err
			}
		case p := <-packets:
			if size.n+len(p.Data)+128 > maxCapture {
				return nil
			}
			if err := out.Write(p); err != nil {
				return err
			}
		}
	}
}

// counted counts what is written.
type counted struct {
	w *bufio.Writer
	n int
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += n
	return n, err
}
