// Package amosim stands in for amoCRM: an HTTP server that behaves, to those who
// telephone, as amoCRM's documentation says, with everything in memory.
//
// What it is: [Server], an http.Handler that is one account with users,
// pipelines, contacts, companies, customers, leads, tasks, calls and incoming leads. OAuth
// with codes, tokens that expire and refresh tokens that are good for once; seven
// requests a second, then 429, then 403; lists of HAL, 204 for an empty one, pages of
// 250; errors of validation item by item; the card to which a call is added. [Fault] has it
// misbehave. cmd/vpbx-amocrm-sim runs it for those who develop a connector.
//
// What it is not: it imports nothing of the client, so that a mistake is not made twice.
// What telephones do not need is not there: no mail, chats, catalogs, web hooks. Where
// the documentation is silent a comment says what was chosen.
//
// Who owns which goroutine: none; a Server is used by any number of them.
//
// Invariants: nothing is stored of a request that is answered with an error, but of
// calls, of which each is stored or refused by itself, as amoCRM does.
//
// Where the tests are: server_test.go, a test for each rule of the documentation;
// package amocrm tests its client against it.
package amosim
