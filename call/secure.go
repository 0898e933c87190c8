package call

import (
	"errors"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/sip"
)

// security says how the sound of an extension, or of a trunk, is to be secured. By
// default calls are answered as they come, and keys are offered only where nobody on
// the way can read them (docs/decisions/11-srtp.md).
func (c *Call) security(extension string, trunk *pbx.Trunk, signalling bool) media.Security {
	mode := ""
	if trunk != nil {
		mode = trunk.SRTP
	} else if e := c.company.Extensions[extension]; e != nil {
		mode = e.SRTP
	}
	switch mode {
	case "off":
		return media.Plain
	case "required":
		return media.Required
	case "dtls":
		return media.RequiredDTLS
	}
	if signalling {
		return media.Opportunistic
	}
	return media.AsOffered
}

// securityOf is security for a leg that has come in.
func (c *Call) securityOf(l *sip.Leg) media.Security {
	return c.security(l.Extension, l.Trunk, l.Secure())
}

// insecure tells the record why a party's offer was refused, when that was for SRTP.
func (c *Call) insecure(who string, err error) {
	switch {
	case errors.Is(err, media.ErrInsecure):
		c.why(who + " did not offer SRTP, which is required for it")
	case errors.Is(err, media.ErrSecured):
		c.why(who + " offered nothing but SRTP, which is off for it")
	}
}
