package flow

import (
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"vpbx/config"
)

const (
	s3IP     = "10.0.5.1"
	s3Bucket = "recordings"
)

// storage is the S3 storage of a flow.
type storage struct {
	backend *s3mem.Backend
	locked  atomic.Bool // it refuses everything
	server  http.Server
	done    chan struct{}
}

// startStorage serves a storage with an empty bucket, and lets the PBX use it.
func (w *world) startStorage() error {
	s := &storage{backend: s3mem.New(), done: make(chan struct{})}
	if err := s.backend.CreateBucket(s3Bucket); err != nil {
		return err
	}
	address := net.JoinHostPort(s3IP, "9000")
	l, err := w.net.Host(s3IP).Listen("tcp", address)
	if err != nil {
		return err
	}
	fake := gofakes3.New(s.backend).Server()
	s.server.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if s.locked.Load() {
			rw.Header().Set("Content-Type", "application/xml")
			rw.WriteHeader(http.StatusForbidden)
			fmt.Fprint(rw, "<Error><Code>InvalidAccessKeyId</Code><Message>no</Message></Error>")
			return
		}
		fake.ServeHTTP(rw, r)
	})
	go func() {
		defer close(s.done)
		_ = s.server.Serve(l) // ends with Close
	}()
	w.s3 = s
	w.cfg.Recordings = config.Recordings{Storage: config.OnS3, S3: config.S3{Endpoint: address, Bucket: s3Bucket, Prefix: "pbx",
		AccessKey: "key", SecretKey: "secret", PathStyle: true}}
	return nil
}

func (s *storage) close() {
	_ = s.server.Close() // the flow is over
	<-s.done
}

// tellStorage is the action s3: locked, free, or lists what is there.
func (w *world) tellStorage(state string) error {
	switch state {
	case "locked", "free":
		w.s3.locked.Store(state == "locked")
		w.log.add("s3", "is %s", state)
		return nil
	case "lists":
		list, err := w.s3.backend.ListBucket(s3Bucket, nil, gofakes3.ListBucketPage{})
		if err != nil {
			return err
		}
		w.log.add("s3", "has %d objects", len(list.Contents))
		return nil
	}
	return fmt.Errorf("s3 is locked, free or lists, not %s", state)
}
