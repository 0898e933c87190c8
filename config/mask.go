package config

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/goccy/go-yaml"
)

// mask stands for a secret.
const mask = "********"

// Masked is the configuration as a file, with every secret replaced: the
// administrator token, the password of the Homer server, the secret of the TURN servers, the keys of the S3 storage, the password of the mail server, the
// token of the speech engine and what the URLs hold besides user, host and path.
func (c Config) Masked() (string, error) {
	if c.HTTP.Token != "" {
		c.HTTP.Token = mask
	}
	if c.SIP.HEP.Password != "" {
		c.SIP.HEP.Password = mask
	}
	if c.Media.WebRTC.TURN.Secret != "" {
		c.Media.WebRTC.TURN.Secret = mask
	}
	if c.Recordings.S3.SecretKey != "" {
		c.Recordings.S3.SecretKey = mask
	}
	if c.Recordings.S3.AccessKey != "" {
		c.Recordings.S3.AccessKey = mask
	}
	if c.Mail.Password != "" {
		c.Mail.Password = mask
	}
	if c.Speech.Token != "" {
		c.Speech.Token = mask
	}
	if c.Speech.URL != "" {
		c.Speech.URL = maskURL(c.Speech.URL)
	}
	c.Database = maskURL(c.Database)
	c.Events = maskURL(c.Events)
	text, err := yaml.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("write config: %w", err)
	}
	return string(text), nil
}

// maskURL hides the password of a URL, a user that stands alone (a token) and
// the parameters. What is not understood is hidden as a whole.
func maskURL(text string) string {
	if text == "sqlite" || text == "embedded" {
		return text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || strings.Contains(u.Path, "@") {
		return mask // an @ behind the host: a password with a / in it
	}
	masked := u.Scheme + "://"
	if u.User != nil {
		if _, ok := u.User.Password(); ok {
			masked += url.User(u.User.Username()).String() + ":"
		}
		masked += mask + "@"
	}
	masked += u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		masked += "?" + mask
	}
	return masked
}
