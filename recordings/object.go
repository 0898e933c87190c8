package recordings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// object is a recording in the S3 storage, read as a file: from where it is sought,
// and only as far as it is read. It belongs to one goroutine.
type object struct {
	b    *bucket
	key  string
	info info
	life context.Context

	at   int64 // of the next byte that Read gives
	body io.ReadCloser
	end  context.CancelFunc // of the request behind body
}

// open asks for the object of a file. It ends with life.
func (b *bucket) open(life context.Context, file string) (*object, error) {
	key := b.key(file)
	i, err := b.stat(life, key)
	if err != nil {
		return nil, err
	}
	return &object{b: b, key: key, info: i, life: life}, nil
}

// Read reads on. A storage that sends nothing for 30 s is an error.
func (o *object) Read(p []byte) (int, error) {
	if o.at >= o.info.size {
		return 0, io.EOF
	}
	if o.body == nil {
		if err := o.begin(); err != nil {
			return 0, err
		}
	}
	idle := time.AfterFunc(idleTime, o.end)
	n, err := o.body.Read(p)
	idle.Stop()
	o.at += int64(n)
	if errors.Is(err, io.EOF) && o.at < o.info.size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return n, o.b.failed("read", err)
	}
	return n, err
}

func (o *object) begin() error {
	ctx, cancel := context.WithCancel(o.life)
	body, err := o.b.get(ctx, o.key, o.info.etag, o.at)
	if err != nil {
		cancel()
		return err
	}
	o.body, o.end = body, cancel
	return nil
}

// Seek sets where Read goes on.
func (o *object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.info.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning of a recording")
	}
	if offset == o.at {
		return offset, nil
	}
	err := o.Close()
	o.at = offset
	return offset, err
}

// Close ends the request that goes on. The object can be read again.
func (o *object) Close() error {
	if o.body == nil {
		return nil
	}
	o.end()
	err := o.body.Close()
	o.body = nil
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("close a recording: %w", err)
	}
	return nil
}
