// Package speech has texts spoken by a speech engine: espeak-ng, a program of the
// operator's choice, or a server that is asked by HTTP.
//
// [Speaker] is what others use. It asks the engine once for a text: the answer is made
// as loud as other sounds and kept on disk, named by a hash of all that made it. An
// engine that fails again and again is left alone for a while, so that callers do not
// wait for it.
//
// What it is not: it knows no company and no call, and makes no words of numbers; that
// is speech/words.
//
// Invariants: a text reaches an engine on its standard input or in a JSON body only,
// never as an argument, a file name or a line of a shell. What comes back is bounded in
// bytes and in length, and is believed to be a sound only when it reads as one. No mutex
// is held while an engine works.
//
// Goroutines: none of its own. Engines are asked in the goroutine of whoever calls, at
// most so many at once as Options says.
//
// Tests: against programs and servers made for it here, against the real espeak-ng where
// it is installed, and in the flows.
package speech
