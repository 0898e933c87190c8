package app

import (
	"crypto/tls"
	"fmt"
	"net"
)

// serveHTTP serves the API on its addresses, until the server is closed.
func (a *App) serveHTTP() error {
	listen := a.host.Listen
	if listen == nil {
		listen = net.Listen
	}
	var err error
	if a.http, err = listen("tcp", a.cfg.HTTP.Listen); err != nil {
		return fmt.Errorf("http.listen: %w", err)
	}
	a.serve(a.http)
	if a.cfg.HTTP.ListenTLS == "" {
		return nil
	}
	l, err := listen("tcp", a.cfg.HTTP.ListenTLS)
	if err != nil {
		return fmt.Errorf("http.listen_tls: %w", err)
	}
	a.https = l
	a.serve(tls.NewListener(l, a.tlsConfig()))
	return nil
}

func (a *App) serve(l net.Listener) {
	a.serving.Go(func() {
		if err := a.api.Serve(l); err != nil {
			a.log.Error("HTTP stopped", "error", err)
		}
	})
}

// HTTP is the address the API is served on, after Start.
func (a *App) HTTP() net.Addr { return a.http.Addr() }

// HTTPS is the address it is served on by https, nil when it is on none.
func (a *App) HTTPS() net.Addr {
	if a.https == nil {
		return nil
	}
	return a.https.Addr()
}
