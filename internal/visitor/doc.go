// Package visitor tells who has sent an HTTP request: the address, and whether it came
// by https, also where reverse proxies stand between.
//
// # What it is
//
// [Proxies] are the proxies whose word counts. [Proxies.Find] reads what they have written
// into a request; [With] and [Of] carry that with the request, so that everybody who
// asks gets the same answer. It is pure and keeps nothing.
//
// # What it is not
//
// It does not decide who may do what. It does not look at forwarding headers of anybody but a
// trusted proxy, at the header that is not configured, and at X-Forwarded-Host: anybody can
// write these, and a proxy passes on what it does not know.
//
// # Invariants
//
// A header is read from its end, which the nearest proxy has written. The first address that is no
// trusted proxy is the visitor; what stands before it is the visitor's own word and not read.
// What cannot be understood ends the reading at the proxy that has written it, so that
// nothing is gained by it.
//
// # Tests
//
// visitor_test.go has the table and a fuzz test; package api and crm/rtk have one each that
// shows it at their doors; the flow r28-behind-proxy is the whole program.
package visitor
