// Package api is the HTTP side of vpbx: the companies' documents, call records,
// recordings, live control, the event stream, health and metrics.
//
// # What it is
//
// One [Server], one file for each resource, a route table in which every route
// names the one [Permission] it asks for, and one form for every error. Routes
// below /api/v1 are described by /api/v1/openapi.json, which is made from the
// handlers. What the package needs of the others it says in small interfaces
// of its own ([Records], [Live], …) and in [Config].
//
// # What it is not
//
// It keeps no state but the tokens it has seen lately. It decides nothing about
// calls or documents: it reads a request, asks who may, calls the package that
// knows, and writes the answer.
//
// # Who owns which goroutine
//
// The package starts none of its own; net/http has one for each connection.
// Server.Close ends the event streams and waits for the requests, five seconds
// at most.
//
// # Invariants
//
// No handler runs before Allow said yes: Server.add is the only way into the
// mux and puts the check before every handler. A token of one company is told
// that there is no other. A document sent by API names only sound files below
// the company's own directory of prompts, or those it has already. The text of
// an internal error is in the log and never in an answer; the id in the answer
// leads to it. Header, body, time to send either, time to accept an answer,
// streams, remembered tokens and counted sources are all bounded. Neither
// tokens nor queries are logged.
//
// # Where the tests are
//
// Beside each file, against a real store; route_test.go walks the route table,
// serve_test.go and events_test.go run the server over connections in memory
// on the time of a synctest bubble.
package api
