package config

import (
	"net"
	"regexp"
	"strconv"
	"strings"
)

// Recordings is where finished recordings are kept. They are written to the disk
// first, whatever it is.
type Recordings struct {
	Storage string `yaml:"storage"` // disk or s3
	S3      S3     `yaml:"s3"`      // read whenever it names a bucket; new recordings go there with storage s3
}

// S3 is an S3-compatible storage.
type S3 struct {
	Endpoint  string `yaml:"endpoint"` // host or host:port
	Bucket    string `yaml:"bucket"`   // must exist
	Prefix    string `yaml:"prefix"`   // before the names of the objects
	Region    string `yaml:"region"`
	AccessKey string `yaml:"access_key"`
	SecretKey string `yaml:"secret_key"`
	TLS       bool   `yaml:"tls"`
	PathStyle bool   `yaml:"path_style"` // the bucket in the path and not in the host name
}

// The values of Recordings.Storage.
const (
	OnDisk = "disk"
	OnS3   = "s3"
)

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	keyPrefix  = regexp.MustCompile(`^[A-Za-z0-9_-]+([/.][A-Za-z0-9_-]+)*$`)
	regionName = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

// check does not repeat the keys.
func (r Recordings) check(note note) {
	if r.Storage != OnDisk && r.Storage != OnS3 {
		note("recordings.storage", "must be disk or s3")
	}
	s := r.S3
	if s.Bucket == "" && s.Endpoint == "" && r.Storage != OnS3 {
		if s.AccessKey != "" || s.SecretKey != "" {
			note("recordings.s3.bucket", "is missing: the keys of the storage are set")
		}
		return
	}
	if !isEndpoint(s.Endpoint) {
		note("recordings.s3.endpoint", "must be host or host:port such as s3.example.com, without https://")
	}
	if !bucketName.MatchString(s.Bucket) || strings.Contains(s.Bucket, "..") {
		note("recordings.s3.bucket", "must be 3 to 63 lower-case letters, digits, dots and dashes")
	}
	if s.Prefix != "" && (!keyPrefix.MatchString(s.Prefix) || len(s.Prefix) > 200) {
		note("recordings.s3.prefix", "must be Latin letters, digits, - and _ with single / between them, such as pbx/main")
	}
	if s.Region != "" && !regionName.MatchString(s.Region) {
		note("recordings.s3.region", "must be Latin letters, digits and dashes")
	}
	for _, k := range []struct{ path, key string }{{"access_key", s.AccessKey}, {"secret_key", s.SecretKey}} {
		switch {
		case k.key == "":
			note("recordings.s3."+k.path, "is missing")
		case len(k.key) > 255 || strings.ContainsFunc(k.key, func(c rune) bool { return c <= ' ' || c > '~' }):
			note("recordings.s3."+k.path, "must be at most 255 printable ASCII characters without spaces")
		}
	}
}

// isEndpoint says whether text is a host with a port or without.
func isEndpoint(text string) bool {
	host := text
	if h, port, err := net.SplitHostPort(text); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
		host = h
	}
	return host != "" && len(host) <= 253 && strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789.-:") == "" &&
		(!strings.Contains(host, ":") || net.ParseIP(host) != nil)
}
