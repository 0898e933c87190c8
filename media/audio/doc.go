// Package audio holds the sample-level tools of the media engine.
//
// # What it is
//
// Pure functions over samples: the codecs G.711, G.722 and Opus (RFC 6716, by
// gopus), tones and their detection, keys in the sound (ITU-T Q.23, Q.24), resampling, mixing, making
// up what was lost, putting packets in order, making sound shorter and longer by its period, comfort noise (RFC 3389),
// what can be seen of a packet without decoding it, WAV files and the voice quality estimate of ITU-T G.107.
//
// # What it is not
//
// It knows nothing of RTP, sockets, sessions or calls, and it does not open
// files: readers and writers are passed in.
//
// # Goroutines
//
// None are started here. The functions are safe for concurrent use; a WAVWriter,
// Encoder, Decoder, Listener, Order, KeyDetector or Resampler belongs to one goroutine.
//
// # Invariants
//
// Samples are 16-bit linear, mono unless a function says otherwise. Encoding and
// decoding of a frame allocates nothing. A file that lies about its size never
// makes the reader allocate more than what really follows and the given limit.
//
// # Tests
//
// Tables and round trips in *_test.go beside each file; coder_test.go for G.722
// against an independent implementation, the quality of each codec, and loss.
// FuzzReadWAV, FuzzListener and FuzzPacket for what comes from outside, benchmarks with
// allocation counts in g711_test.go and coder_test.go.
package audio
