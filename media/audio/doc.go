// Package audio holds the sample-level tools of the media engine.
//
// # What it is
//
// Pure functions over samples: G.711 tables, tones and their detection,
// resampling, WAV files and the voice quality estimate of ITU-T G.107.
//
// # What it is not
//
// It knows nothing of packets, sockets, sessions or calls, and it does not open
// files: readers and writers are passed in.
//
// # Goroutines
//
// None are started here. The functions are safe for concurrent use; a WAVWriter
// belongs to one goroutine.
//
// # Invariants
//
// Samples are 16-bit linear, mono unless a function says otherwise. Encoding and
// decoding of a frame allocates nothing. A file that lies about its size never
// makes the reader allocate more than what really follows and the given limit.
//
// # Tests
//
// Tables and round trips in *_test.go beside each file, FuzzReadWAV for the only
// parser, benchmarks with allocation counts in g711_test.go.
package audio
