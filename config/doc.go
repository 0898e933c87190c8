// Package config reads the engine's own configuration, vpbx.yaml, and the
// environment variables that override it.
//
// # What it is
//
// [Default] is the configuration of an empty file, [Load] reads a file and the
// environment and reports every mistake at once, with its key and line or the
// name of its variable. [Config.Masked] is what `vpbx check` prints.
//
// # What it is not
//
// Nothing that a company's administrator would change lives here: extensions,
// trunks and rules are company files, see package tenants. It opens no sockets
// and creates no files, and nobody but the wiring in internal/app and the
// command reads it: other packages get the few values they need.
//
// # Who owns which goroutine
//
// Nobody: the package starts none. A Config is a plain value.
//
// # Invariants
//
// A Config returned by Load without an error passed [Config.Validate]. Every
// key of the file has its variable, named by the key alone: sip.local_nets is
// VPBX_SIP_LOCAL_NETS. There is no second list of keys. Secrets leave only
// through the fields themselves; no error and no text of this package shows
// them.
//
// # Where the tests are
//
// config_test.go: the defaults against the text of the documented file,
// mistakes with their lines, variables, masking. FuzzLoad is beside them.
package config
