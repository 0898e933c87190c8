package rtk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"vpbx/pbx"
)

// The result codes. The vendor's table is not published: -20 is seen in the field,
// the others are ours.
const (
	codeOK            = 0
	codeMalformed     = -1
	codeSignature     = -2
	codeDomain        = -3
	codeSubscriber    = -4
	codeSession       = -5
	codeNotReady      = -6  // the recording
	codeNoRecording   = -7  // nothing was recorded
	codeUnknownMethod = -8  //
	codeOff           = -9  // the API is turned off
	codeNotAllowed    = -10 // not from there
	codeTooMany       = -11 // requests, or orders
	codeCallBack      = -20
	codeOrdered       = -30 // the same period before
	codeHistory       = -31 // not ready
	codeNoHistory     = -32 // no such order
	codeInternal      = -99
)

// okText is what the vendor says of success.
const okText = "Операция выполнена успешно"

// envelope is what every answer has. Its result is a string: that is what most
// CRMs have seen.
type envelope struct {
	Result  string `json:"result"`
	Message string `json:"resultMessage"`
}

var done = envelope{strconv.Itoa(codeOK), okText}

// fault is an answer that says no. Its text is shown to the CRM.
type fault struct {
	status int // of HTTP
	code   int
	text   string
}

// Error gives the text.
func (f *fault) Error() string { return f.text }

var (
	errSignature  = &fault{http.StatusUnauthorized, codeSignature, "the client id or the signature is wrong"}
	errDomain     = &fault{http.StatusForbidden, codeDomain, "the domain is not one of this client"}
	errSession    = &fault{http.StatusOK, codeSession, "there is no such session"}
	errSubscriber = &fault{http.StatusOK, codeSubscriber, "there is no such subscriber"}
)

// malformed is the fault of a field that makes no sense.
func malformed(field string) *fault {
	return &fault{http.StatusBadRequest, codeMalformed, fmt.Sprintf("%s is missing or wrong", field)}
}

// success encodes what a method gives.
func success(v any) answer {
	body, err := encode(v)
	if err != nil {
		return failure(fmt.Errorf("encode the answer: %w", err))
	}
	return answer{status: http.StatusOK, body: body}
}

// failure encodes a fault; every other error is told without its text.
func failure(err error) answer {
	f, ok := errors.AsType[*fault](err)
	if !ok {
		f = faultOf(err)
	}
	body, err := encode(f.answer())
	if err != nil {
		body = []byte(`{"result":"-99","resultMessage":"internal error"}`) // two texts can always be encoded
	}
	return answer{status: f.status, body: body, retry: f.status == http.StatusTooManyRequests || f.status == http.StatusServiceUnavailable}
}

func (f *fault) answer() envelope { return envelope{strconv.Itoa(f.code), f.text} }

// faultOf is the answer to an error that is no fault of the CRM, or of ours to see.
func faultOf(err error) *fault {
	if pbx.KindOf(err) == pbx.Unavailable {
		return &fault{http.StatusServiceUnavailable, codeInternal, "a part of the PBX does not answer; try again later"}
	}
	return &fault{http.StatusInternalServerError, codeInternal, "an error inside the PBX"}
}

// encode writes JSON as it is signed: raw UTF-8, without an end of line.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
