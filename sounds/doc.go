// Package sounds makes what callers hear of what companies supply: sound files beside
// the company file, sounds uploaded by the API, texts for the speech engine, texts put
// together from recorded phrases, and music.
//
// A sound is normalised once, when it is uploaded or first played: mono, at most 16 kHz,
// as loud as speech. An uploaded one is kept under the directory of its company, named
// by the SHA-256 of what is kept and never by anything a user has written. What was
// made for playing stays in memory, as much as there is room for.
//
// What it is not: it decides nothing about calls, and stores no company.
//
// Invariants: no mutex is held while a file is read or a text is spoken; a sound that is
// wanted by several calls at once is made once; a file that came from outside is bounded
// in bytes and length before anything is believed of it.
//
// Goroutines: one for each sound that is being made. Close ends them and waits.
//
// Tests: beside the code with files and an engine made for it, and in the flows.
package sounds
