package api

import "net/http"

// integrationPath is the path below which CRMs call the methods of the integration
// API. The vendor has them directly behind the host, and so have we, for CRMs that
// know no path.
const integrationPath = "/rtk/"

// addIntegration registers the methods that CRMs call. The routes are open: each
// request is signed, which the handler checks.
func (s *Server) addIntegration() {
	if s.c.Integration == nil {
		return
	}
	s.add(route{http.MethodPost, integrationPath + "{method}", Open}, s.c.Integration.ServeHTTP)
	s.add(route{http.MethodPost, integrationPath + "test/{method}", Open}, s.c.Integration.ServeHTTP)
	for _, m := range s.c.IntegrationMethods {
		s.add(route{http.MethodPost, "/" + m, Open}, s.c.Integration.ServeHTTP)
	}
}
