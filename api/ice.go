package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/pbx"
)

// ICE are the servers that browsers use where they cannot reach us by UDP.
type ICE struct {
	URLs   []string      // turn:, turns:, stun: or stuns:
	Secret string        // shared with the TURN servers
	TTL    time.Duration // of the credentials
}

type inExtension struct {
	InTenant
	Ext string `path:"ext" maxLength:"32" doc:"Number of the extension"`
}

// ICEServers is what a page gives to its RTCPeerConnection, as the W3C names it.
type ICEServers struct {
	Servers []ICEServer `json:"iceServers"`
	Expires *time.Time  `json:"expires,omitempty" doc:"When the credentials end; a call that goes on then goes on"`
}

// ICEServer is one RTCIceServer.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

type outICE struct {
	NoStore string `header:"Cache-Control"`
	Body    ICEServers
}

func (s *Server) addICE() {
	handle(s, ReadICE, huma.Operation{
		OperationID: "get-ice-servers", Method: http.MethodGet, Path: "/api/v1/tenants/{tenant}/extensions/{ext}/ice",
		Tags: []string{"extensions"}, Summary: "Gives the STUN and TURN servers for the page of an extension, with credentials that end",
		Description: "The answer is a configuration for RTCPeerConnection. Each request makes new credentials; ask before each call.",
	}, s.iceServers)
}

func (s *Server) iceServers(_ context.Context, q *request, in *inExtension) (*outICE, error) {
	if q.company.Extensions[in.Ext] == nil {
		return nil, &pbx.Error{Kind: pbx.NotFound, Msg: "no such extension"}
	}
	return &outICE{NoStore: "no-store", Body: s.c.ICE.servers(in.Ext+"@"+q.company.Domain, time.Now())}, nil
}

// servers makes credentials for a user, as coturn's use-auth-secret takes them ("A REST
// API For Access To TURN Services", draft-uberti-behave-turn-rest-00 §2.2): the name is
// when it ends and whose it is, the password the HMAC-SHA1 of that.
func (c ICE) servers(user string, at time.Time) ICEServers {
	out := ICEServers{Servers: []ICEServer{}}
	var stun, turn []string
	for _, u := range c.URLs {
		if strings.HasPrefix(u, "stun") {
			stun = append(stun, u)
		} else {
			turn = append(turn, u)
		}
	}
	if len(stun) > 0 {
		out.Servers = append(out.Servers, ICEServer{URLs: stun})
	}
	if len(turn) > 0 {
		ends := at.Add(c.TTL).Truncate(time.Second).UTC()
		name := strconv.FormatInt(ends.Unix(), 10) + ":" + user
		mac := hmac.New(sha1.New, []byte(c.Secret))
		mac.Write([]byte(name))
		out.Servers = append(out.Servers, ICEServer{URLs: turn, Username: name, Credential: base64.StdEncoding.EncodeToString(mac.Sum(nil))})
		out.Expires = &ends
	}
	return out
}
