package recordings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"vpbx/pbx"
)

// S3 is an S3-compatible storage of finished recordings.
type S3 struct {
	Endpoint  string // host or host:port
	Bucket    string // must exist
	Prefix    string // before the names of the objects, "": none
	Region    string // "": us-east-1
	AccessKey string
	SecretKey string
	TLS       bool
	PathStyle bool // the bucket stands in the path and not in the host name
	// Upload says whether finished recordings go there. Without it what is there is
	// found, and nothing is added.
	Upload bool

	Dial func(ctx context.Context, network, address string) (net.Conn, error) // nil: net.Dialer
}

const (
	dialTime   = 10 * time.Second
	answerTime = 30 * time.Second // for what has no long body
	idleTime   = 30 * time.Second // without a byte of a body
	slowest    = 64 << 10         // bytes a second that an upload may need
)

// bucket is where the objects are. Its methods may be called from any goroutine.
type bucket struct {
	core   *minio.Core
	http   *http.Transport
	name   string
	prefix string
}

// openBucket makes a client. It asks nothing of the server.
func openBucket(o S3) (*bucket, error) {
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTime}).DialContext
	}
	t := &http.Transport{DialContext: dial, TLSHandshakeTimeout: dialTime, ResponseHeaderTimeout: answerTime,
		MaxIdleConnsPerHost: maxUploads, IdleConnTimeout: idleTime, DisableCompression: true}
	lookup := minio.BucketLookupAuto
	if o.PathStyle {
		lookup = minio.BucketLookupPath
	}
	region := o.Region
	if region == "" {
		region = "us-east-1"
	}
	core, err := minio.NewCore(o.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""), Secure: o.TLS,
		Transport: t, Region: region, BucketLookup: lookup, MaxRetries: 1})
	if err != nil {
		return nil, fmt.Errorf("open the S3 storage: %w", err)
	}
	return &bucket{core: core, http: t, name: o.Bucket, prefix: strings.Trim(o.Prefix, "/")}, nil
}

func (b *bucket) close() { b.http.CloseIdleConnections() }

// key is the name of the object of a file.
func (b *bucket) key(file string) string { return path.Join(b.prefix, file) }

// info is what the storage says of an object.
type info struct {
	size int64
	etag string // the MD5 of the object in hex, unless it was stored in another way
	at   time.Time
}

// stat asks for an object, a [pbx.Error] of kind NotFound when there is none.
func (b *bucket) stat(ctx context.Context, key string) (info, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	o, err := b.core.StatObject(ctx, b.name, key, minio.StatObjectOptions{})
	if err != nil {
		return info{}, b.failed("ask for", err)
	}
	return info{o.Size, strings.Trim(o.ETag, `"`), o.LastModified}, nil
}

// put stores an object in one piece. The storage refuses it when what arrives has not
// these sums.
func (b *bucket) put(ctx context.Context, key string, from io.Reader, size int64, s sums) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime+time.Duration(size/slowest)*time.Second)
	defer cancel()
	// DisableContentSha256: the sum is known, the signature need not go along in pieces.
	_, err := b.core.PutObject(ctx, b.name, key, from, size, s.md5Base64(), s.sha256Hex(),
		minio.PutObjectOptions{ContentType: "audio/wav", DisableContentSha256: true})
	if err != nil {
		return b.failed("store", err)
	}
	return nil
}

// get begins to read an object, the one with that etag, at an offset.
func (b *bucket) get(ctx context.Context, key, etag string, offset int64) (io.ReadCloser, error) {
	var o minio.GetObjectOptions
	if err := o.SetMatchETag(etag); err != nil {
		return nil, fmt.Errorf("read an object: %w", err)
	}
	if offset > 0 {
		if err := o.SetRange(offset, 0); err != nil {
			return nil, fmt.Errorf("read an object: %w", err)
		}
	}
	body, _, _, err := b.core.GetObject(ctx, b.name, key, o)
	if err != nil {
		return nil, b.failed("read", err)
	}
	return body, nil
}

// remove removes an object; one that is not there is not an error.
func (b *bucket) remove(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	err := b.core.RemoveObject(ctx, b.name, key, minio.RemoveObjectOptions{})
	if err = b.failed("remove", err); err != nil && pbx.KindOf(err) != pbx.NotFound {
		return err
	}
	return nil
}

// list calls f with the file of each object below a directory, in the order of their
// names, until it returns an error.
func (b *bucket) list(ctx context.Context, dir string, f func(file string) error) error {
	below := b.key(dir) + "/"
	for o := range b.core.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{Prefix: below, Recursive: true}) {
		if o.Err != nil {
			return b.failed("list", o.Err)
		}
		file := strings.TrimPrefix(strings.TrimPrefix(o.Key, b.prefix), "/")
		if err := f(file); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// failed says what went wrong: NotFound when there is no such object, Unavailable
// otherwise. Nothing of the keys is in it.
func (b *bucket) failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	code := minio.ToErrorResponse(err).Code
	if code == minio.NoSuchKey {
		return &pbx.Error{Kind: pbx.NotFound, Msg: "there is no such recording", Err: err}
	}
	return &pbx.Error{Kind: pbx.Unavailable, Msg: "the storage of recordings: " + b.trouble(code, err), Err: fmt.Errorf("%s an object: %w", doing, err)}
}

// trouble says in words what an administrator has to look after.
func (b *bucket) trouble(code string, err error) string {
	switch code {
	case minio.NoSuchBucket:
		return "there is no bucket " + b.name
	case minio.InvalidAccessKeyID:
		return "it does not know the access key"
	case minio.SignatureDoesNotMatch:
		return "the secret key is wrong"
	case minio.AccessDenied:
		return "the access key may not do that"
	case "BadDigest", "XAmzContentSHA256Mismatch":
		return "what arrived there was not what was sent"
	case "":
		if errors.Is(err, context.DeadlineExceeded) {
			return "it did not answer in time"
		}
		return "it cannot be reached"
	}
	return "it answers " + code
}
