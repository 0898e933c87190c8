// Package amocrm speaks to amoCRM (Kommo) by its API of version 4.
//
// What it is: [Client], which knows the requests that a telephone system makes: find a
// contact by its number, read users, pipelines and leads, add contacts, leads, tasks,
// calls and incoming leads, show a call. It keeps the account linked: it gets tokens
// for a code, renews them, keeps to the number of requests that amoCRM takes, and
// follows an account that moves.
//
// [Connector] is the connector on top of it: the owner of a caller, and by the scenarios of
// the company what is made of a call. [Service] connects a company with an account and
// disconnects it, lists users and pipelines, lets users of the account dial, and sends those
// who follow a link in the log of calls to the recording.
//
// What it is not: the Client decides nothing about calls, and nothing here changes what a
// company has set up: package tenants does.
// The remote side for tests, and for those who develop a connector, is package
// amosim, built from amoCRM's documentation.
//
// Who owns which goroutine: a renewal of tokens has one, one for a company at
// once. It does not end with the request that needs it, because once amoCRM has made
// new tokens the old ones are worth nothing. Close waits for all of them.
//
// Invariants: new tokens are saved before they are used, and never lost while the
// process lives. Tokens of a company are renewed once, whoever needs them. A token
// goes to addresses of amoCRM only, and to the hosts that the operator named; no redirect is
// followed. Tokens, secrets and codes are in no error and no log. Of an integration seven
// requests begin in a second at most; those marked by [Urgent] before all others, which
// use five of them at most. A request that amoCRM did not take because there were too many is
// sent again in its turn. What amoCRM says is read up to a bound, cleaned, and bad
// elements are left out.
//
// Of a call everything is made once, though its events come again: each step is noted before
// it is begun and when it is done, and one that was begun is looked for before it is done
// again (decision 25). A contact that the CRM knew before a call is never made and never
// changed. A link to a recording, the token of a page and the notice that the integration was
// turned off are believed by their signature only.
//
// Where the tests are: TestM04 to TestM19, named by the feature, desk_test.go is their company; beside the files, on fake time in a bubble, against amosim and
// against servers that misbehave.
package amocrm
