// Package amd tells by its sound whether a human or a machine has answered a call.
//
// # What it is
//
// A Detector is fed the sound of the called party from the answer on and comes to a verdict:
// a human greets in a word or two and waits, a machine goes on. It looks at levels and times,
// and at tones: beeps, the special information tones of networks (ITU-T E.180), tones of
// progress, fax machines. After a machine it goes on to listen for the beep or the silence at
// which a message may be left. Options has all thresholds; docs/amd.md has how well they do.
//
// # What it is not
//
// It does not know languages, words or voices, and nothing of packets, codecs and calls: package media
// feeds it. It keeps no sound.
//
// # Goroutines
//
// None. A Detector belongs to one goroutine.
//
// # Invariants
//
//   - Time is counted in samples: nothing depends on a clock, nor on how the sound is cut
//     into frames.
//   - A verdict is final. It is there when the bound is over, whatever is heard.
//   - Feed allocates nothing.
//
// # Tests
//
// Tables of generated sounds in amd_test.go, beeps in tone_test.go. corpus_test.go runs the labelled
// corpus of testdata against the detector and against thresholds in the way of Asterisk's
// (asterisk_test.go), and keeps the figures of docs/amd.md true (-rewrite); scene_test.go puts its clips into scenes,
// make_test.go has them spoken by espeak-ng (-make). FuzzFeed; a property of rapid for frames of any
// length; BenchmarkFeed with allocations.
package amd
