package store

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"vpbx/pbx"
)

// maxLadder bounds the JSON of a ladder that is read back.
const maxLadder = 8 << 20

// compressors are kept for the next call, as one has hundreds of kilobytes.
var compressors = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // fails for a level that is none
	return w
}}

// packLadder makes the column of a ladder, nil when there is none.
func packLadder(ladder []pbx.Message) ([]byte, error) {
	if len(ladder) == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	w := compressors.Get().(*flate.Writer)
	defer compressors.Put(w)
	w.Reset(&b)
	if err := errors.Join(json.NewEncoder(w).Encode(ladder), w.Close()); err != nil {
		return nil, fmt.Errorf("encode ladder: %w", err)
	}
	return b.Bytes(), nil
}

// unpackLadder reads what packLadder made.
func unpackLadder(packed []byte) ([]pbx.Message, error) {
	if len(packed) == 0 {
		return nil, nil
	}
	r := flate.NewReader(bytes.NewReader(packed))
	defer r.Close()
	var ladder []pbx.Message
	if err := json.NewDecoder(io.LimitReader(r, maxLadder)).Decode(&ladder); err != nil {
		return nil, fmt.Errorf("decode ladder: %w", err)
	}
	return ladder, nil
}
